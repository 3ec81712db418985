import { describe, expect, it } from 'vitest';
import { expandTemplate } from './expand.js';

const data = {
  Service: {
    ID: 's1',
    Name: 'web',
    Labels: new Map([
      ['com.example.tier', 'front'],
      ['x', '1'],
    ]),
  },
  Node: { ID: 'n1', Hostname: 'host1', Platform: { Architecture: 'x86_64', OS: 'linux' } },
  Task: { ID: 't1', Name: 'web.3.t1', Slot: '3' },
};

const functions = { secret: (name: unknown) => `secret of ${name}` };
const expand = (template: string) => expandTemplate(template, { data, functions });

describe('expandTemplate', () => {
  it.each([
    ['plain } text {', 'plain } text {'],
    ['{{.Node.Hostname}}-{{.Task.Slot}}', 'host1-3'],
    ['{{ .Node.Platform.OS }}/{{$.Node.Platform.Architecture}}', 'linux/x86_64'],
    ['{{.Service.Labels.x}}', '1'],
    ['{{index .Service.Labels "com.example.tier"}}', 'front'],
    ['{{index .Service.Labels "none"}}|', '|'],
    ['a  {{- .Task.Slot -}}\n b', 'a3b'],
    ['a{{-3}}', 'a-3'],
    ['{{/* nothing }} here */}}x', 'x'],
    ['{{"}}"}}{{`raw "{{`}}', '}}raw "{{'],
    ['{{"tab\\there"}}', 'tab\there'],
    ['{{printf "%s-%02s|%-4s|%q" .Service.Name .Task.Slot "ab" "c"}}', 'web-03|ab  |"c"'],
    ['{{printf "%d %v%% %d" 7 true .Task.Slot}}', '7 true% %!d(string=3)'],
    ['{{join "-" .Service.Name .Task.Slot}}', 'web-3'],
    ['{{.Service.Name | printf "%s:%s" "a"}}', 'a:web'],
    ['{{print "a" 1 2 "b"}}', 'a1 2b'],
    ['{{len (index .Service.Labels "com.example.tier")}}', '5'],
    ['{{or "" .Task.Slot}}{{eq .Task.Slot "3"}}{{not (eq .Task.Slot "3")}}', '3truefalse'],
    ['{{secret "key"}}', 'secret of key'],
    ['{{.Service.Labels}}', 'map[com.example.tier:front x:1]'],
  ])('makes of %s', (template, expected) => {
    expect(expand(template)).toBe(expected);
  });

  it.each([
    ['{{.Node.Hostname', 'template: unclosed action'],
    ['{{.Nothing}}', "template: can't evaluate field Nothing"],
    ['{{.constructor}}', "template: can't evaluate field constructor"],
    ['{{.Service.Labels.none}}', 'template: map has no entry for key "none"'],
    ['{{.Task.ID.More}}', "template: can't evaluate field More"],
    ['{{nothing}}', 'template: function "nothing" not defined'],
    ['{{toString}}', 'template: function "toString" not defined'],
    ['{{if .Task.Slot}}a{{end}}', 'template: "if" is not supported'],
    ['{{range .Service.Labels}}{{end}}', 'template: "range" is not supported'],
    ['{{$x := 3}}', 'template: unexpected "$x := 3" in command'],
    ['{{}}', 'template: missing value for command'],
    ['{{(.Task.ID}}', 'template: unclosed left paren'],
    ['{{.Task.ID)}}', 'template: unexpected right paren'],
    ['{{.Task.ID "x"}}', "template: can't give argument to non-function"],
    ['{{"bad \\z"}}', 'template: bad string "bad \\z"'],
    ['{{printf "%99999999d" 1}}', 'template: error calling printf: too wide'],
    [`{{${'('.repeat(60)}1${')'.repeat(60)}}}`, 'template: too many parentheses'],
  ])('refuses %s', (template, message) => {
    expect(() => expand(template)).toThrow(message);
  });
});
