import { type Random, randomBelow } from '@skep/platform';

const ADJECTIVES = (
  'amber bold brave bright brisk calm clever cosy crisp eager early fair fond frank gentle ' +
  'glad golden grand happy hardy honest humble jolly keen kind lively loyal lucky mellow ' +
  'merry modest neat noble patient plain polite proud quick quiet rapid ready rosy sharp ' +
  'silent silver smart smooth sober solid spry steady still sturdy sunny swift tender tidy ' +
  'trusty vivid warm wise witty young zesty'
).split(' ');
const NOUNS = (
  'acacia alder apple ash aster balsam basil beech birch borage bramble briar broom cedar ' +
  'cherry chicory clover comfrey cornflower daisy dill elder elm fennel fern fig gorse ' +
  'hawthorn hazel heather holly hyssop iris ivy jasmine juniper larch laurel lavender lilac ' +
  'lime linden lupin maple meadow mint mulberry myrtle nettle oak olive orchid pear pine plum ' +
  'poplar poppy primrose quince rose rowan rue sage sorrel spruce sunflower tansy thistle ' +
  'thyme tulip violet walnut willow yarrow yew'
).split(' ');

/** A made-up name, `adjective_noun`; with a digit after it when the first try was taken. */
export function madeUpName(random: Random, attempt: number): string {
  const adjective = ADJECTIVES[randomBelow(random, ADJECTIVES.length)];
  const noun = NOUNS[randomBelow(random, NOUNS.length)];
  return `${adjective}_${noun}${attempt === 0 ? '' : randomBelow(random, 10 ** attempt)}`;
}
