/** Resolves when `condition` holds, looked at now and at each change; rejects when `signal` aborts first. */
export function untilAborted(
  signal: AbortSignal,
  onChange: (look: () => void) => () => void,
  condition: () => boolean,
): Promise<void> {
  return new Promise((resolve, reject) => {
    let forget: () => void = () => {};
    const end = () => {
      forget();
      signal.removeEventListener('abort', onAbort);
    };
    const onAbort = () => {
      end();
      reject(signal.reason);
    };
    const look = () => {
      if (!condition()) return;
      end();
      resolve();
    };
    if (signal.aborted) return reject(signal.reason);
    signal.addEventListener('abort', onAbort, { once: true });
    forget = onChange(look);
    look();
  });
}
