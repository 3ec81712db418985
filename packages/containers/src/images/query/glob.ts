/** Whether a name matches a shell pattern: `*` and `?` do not cross `/`, `[a-z]` is a class. */
export function globMatches(pattern: string, name: string): boolean {
  let expression = '';
  for (let at = 0; at < pattern.length; at++) {
    const character = pattern[at] as string;
    const classEnd = character === '[' ? pattern.indexOf(']', at + 2) : -1;
    if (character === '*') expression += '[^/]*';
    else if (character === '?') expression += '[^/]';
    else if (classEnd > 0) {
      const body = pattern.slice(at + 1, classEnd).replace(/[\\\]]/g, '\\$&');
      expression += `[${body}]`;
      at = classEnd;
    } else expression += character.replace(/[.+^${}()|[\]\\]/g, '\\$&');
  }
  try {
    return new RegExp(`^${expression}$`).test(name);
  } catch {
    return false; // a class like [z-a] matches nothing
  }
}
