/** Works with something that must be removed afterwards, also when the run is interrupted. */
export async function using(thing, work) {
  const stop = () => thing.remove().finally(() => process.exit(130));
  process.once('SIGINT', stop).once('SIGTERM', stop);
  try {
    return await work(thing);
  } finally {
    process.off('SIGINT', stop).off('SIGTERM', stop);
    await thing.remove();
  }
}
