// Waiting without measuring: a condition is asked for until it holds, and only what never comes is an error.

/** Milliseconds after which something is taken to never come. */
export const PATIENCE = 30_000;

export function sleep(milliseconds: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, milliseconds));
}

/** Resolves when `condition` holds. */
export async function eventually(
  condition: () => boolean | Promise<boolean>,
  problem: () => string,
  patience: number = PATIENCE,
): Promise<void> {
  const end = Date.now() + patience;
  while (!await condition()) {
    if (Date.now() > end) throw new Error(problem());
    await sleep(20);
  }
}

/** `promise`, or an error when it takes for ever. */
export async function patiently<T>(
  promise: Promise<T>,
  problem: () => string,
  patience: number = PATIENCE,
): Promise<T> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const never = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(problem())), patience);
  });
  try {
    return await Promise.race([promise, never]);
  } finally {
    clearTimeout(timer);
  }
}
