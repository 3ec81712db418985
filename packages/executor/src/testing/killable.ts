/**
 * The object as a process sees it that can be killed: from `kill` on, its calls never come to anything and
 * never come back, and nothing is heard of it. What it is made of lives on.
 */
export function killable<T extends object>(target: T): { object: T; kill(): void } {
  let isDead = false;
  const object = new Proxy(target, {
    get(from, name) {
      const value: unknown = Reflect.get(from, name);
      if (typeof value !== 'function') return value;
      return (...args: unknown[]) => {
        if (isDead) return new Promise(() => {});
        const guarded = args.map((arg) =>
          typeof arg === 'function' ? (...rest: unknown[]) => !isDead && arg(...rest) : arg,
        );
        const result: unknown = value.apply(from, guarded);
        if (!(result instanceof Promise)) return result;
        // An answer that is on its way when the process dies is not read any more.
        return new Promise((resolve, reject) => {
          result.then(
            (answer) => isDead || resolve(answer),
            (error) => isDead || reject(error),
          );
        });
      };
    },
  });
  return {
    object,
    kill: () => {
      isDead = true;
    },
  };
}
