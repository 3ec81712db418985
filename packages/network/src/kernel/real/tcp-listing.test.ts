import { expect, it } from 'vitest';
import { countInbound, portsListenedOn } from './tcp-listing.js';

const HEADER = '  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid';
const line = (local: string, remote: string, state: string) =>
  `   0: ${local} ${remote} ${state} 00000000:00000000 00:00000000 00000000     0        0 7`;
const ANY = '00000000:0000';
const OWN = '0501000A';
const CLIENT = '0901000A';

it('counts what comes from elsewhere to a port that is listened on, and is not over', () => {
  const listing = [
    HEADER,
    line('00000000:0050', ANY, '0A'),
    line(`${OWN}:0050`, `${CLIENT}:C001`, '01'),
    line(`${OWN}:0050`, `${CLIENT}:C002`, '03'),
    line(`${OWN}:0050`, `${CLIENT}:C003`, '08'),
    // Over for us.
    line(`${OWN}:0050`, `${CLIENT}:C004`, '06'),
    // Its own, to a database.
    line(`${OWN}:C005`, `${CLIENT}:1538`, '01'),
    // From itself: by loopback, or by the name of its own service.
    line('0100007F:0050', '0100007F:C006', '01'),
    line(`${OWN}:0050`, `${OWN}:C007`, '01'),
    '',
  ].join('\n');
  expect(countInbound([listing, `${HEADER}\n`])).toBe(3);
});

it('takes connections to sockets that listen for both families', () => {
  const mapped = '0000000000000000FFFF0000';
  const listing = [
    HEADER,
    line(`${'0'.repeat(32)}:0050`, `${'0'.repeat(32)}:0000`, '0A'),
    line(`${mapped}${OWN}:0050`, `${mapped}${CLIENT}:C001`, '01'),
  ].join('\n');
  expect(countInbound([HEADER, listing])).toBe(1);
});

it('finds ports that others can reach', () => {
  const listing = [
    HEADER,
    line('00000000:0050', ANY, '0A'),
    line(`${OWN}:1F90`, ANY, '0A'),
    line('0B00007F:0035', ANY, '0A'),
    // Connected, and not listening.
    line(`${OWN}:0051`, `${CLIENT}:C001`, '01'),
  ].join('\n');
  const zeros = '0'.repeat(24);
  const listing6 = [
    HEADER,
    line(`${zeros}00000000:01BB`, `${zeros}00000000:0000`, '0A'),
    line(`${zeros}01000000:0052`, `${zeros}00000000:0000`, '0A'),
    line('0000000000000000FFFF00000100007F:0053', `${zeros}00000000:0000`, '0A'),
  ].join('\n');
  expect(portsListenedOn([listing, listing6])).toEqual([80, 8_080, 443]);
});
