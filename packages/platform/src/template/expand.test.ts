import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { TemplateError } from './error.js';
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
    [
      '{{if eq .Task.Slot "1"}}first{{else if eq .Task.Slot "3"}}third{{else}}other{{end}}',
      'third',
    ],
    ['{{if ""}}a{{else}}b{{end}}{{if .Task}}c{{end}}', 'bc'],
    ['{{with .Node.Platform}}{{.OS}} on {{$.Node.Hostname}}{{else}}none{{end}}', 'linux on host1'],
    ['{{with ""}}a{{else with .Task.Slot}}{{.}}{{end}}', '3'],
    [
      '{{range $key, $value := .Service.Labels}}{{$key}}={{$value}};{{end}}',
      'com.example.tier=front;x=1;',
    ],
    ['{{range .Service.Labels}}{{if eq . "1"}}{{continue}}{{end}}{{.}},{{end}}', 'front,'],
    ['{{range .Service.Labels}}{{.}}{{break}}{{else}}none{{end}}', 'front'],
    ['{{$x := "a"}}{{if true}}{{$x = "b"}}{{$y := "c"}}{{$x}}{{$y}}{{end}}{{$x}}', 'bcb'],
    ['{{with $p := .Node.Platform}}{{$p.OS}}{{end}}', 'linux'],
    ['{{if and (ge 2 1) (lt "a" "b")}}{{slice "abcd" 1 3}}{{end}}{{html "<a>"}}', 'bc&lt;a&gt;'],
    ['{{- /* note */ -}} {{ if true -}} x {{- end }}', 'x'],
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
    ['{{if .Task.Slot}}a', 'template: unexpected EOF'],
    ['{{if .Task.Slot}}a{{else}}b{{else}}{{end}}', 'template: unexpected {{else}}'],
    ['a{{end}}', 'template: unexpected {{end}}'],
    ['{{if}}{{end}}', 'template: missing value for command'],
    ['{{end x}}', 'template: unexpected "x" in end'],
    ['{{break}}', 'template: {{break}} outside {{range}}'],
    ['{{range .Task.Slot}}{{end}}', "template: range can't iterate over 3"],
    ['{{if $a, $b := 1}}{{end}}', 'template: too many declarations in if'],
    ['{{$x}}', 'template: undefined variable "$x"'],
    ['{{$x = 3}}', 'template: undefined variable "$x"'],
    ['{{if $x := 1}}{{end}}{{$x}}', 'template: undefined variable "$x"'],
    ['{{1 := 2}}', 'template: unexpected ":=" in command'],
    ['{{define "x"}}{{end}}', 'template: "define" is not supported'],
    ['{{lt 1 "2"}}', 'template: error calling lt: incompatible types for comparison'],
    ['{{slice "abc" 2 9}}', 'template: error calling slice: index out of range: 2, 9'],
    [
      `{{$x := "12345678"}}${'{{$x = print $x $x}}'.repeat(40)}`,
      'template: its text becomes too long',
    ],
    [
      `{{$x := printf "%1000s" "a"}}${'{{$x}}'.repeat(5_000)}`,
      'template: its text becomes too long',
    ],
    [
      `${'{{range $.Service.Labels}}'.repeat(21)}x${'{{end}}'.repeat(21)}`,
      'template: it takes too many steps',
    ],
    [`${'{{if 1}}'.repeat(40)}${'{{end}}'.repeat(40)}`, 'template: too many blocks'],
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

  it('comes to an end with a text or a sentence, whatever it is given', () => {
    const pieces =
      '{{ }} {{- -}} if else end range with break continue $x $k,$v := = . .Node .Service.Labels ( ) | ' +
      '"a" `b` 3 -1 secret print printf "%s%5d" index len eq lt slice and not define /* */ text';
    const piece = fc.constantFrom(...pieces.split(' '), ' ', '\n');
    fc.assert(
      fc.property(fc.array(piece, { maxLength: 30 }), (parts) => {
        try {
          expect(typeof expand(`{{${parts.join(' ')}`)).toBe('string');
        } catch (error) {
          expect(error).toBeInstanceOf(TemplateError);
        }
      }),
      { numRuns: 2_000, seed: 17 },
    );
  });
});
