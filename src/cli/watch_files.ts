// Files that are watched for a change: touch_reload, certificates. They are looked at once a second, which sees a file that
// was replaced by renaming and a link that was set anew (Kubernetes), as no watcher of a runtime does alike.

/** What watching needs of the system: ProcessControl's, and the runtime's clock. */
export interface WatchSystem {
  stamp(path: string): Promise<string | null>;
  every(milliseconds: number, callback: () => void): () => void;
}

/** Milliseconds from one look to the next; changes in between are told together. */
const INTERVAL = 1000;

/**
 * Calls `onChange` with those of `paths` that have changed. A file that appears has changed, unless it is as it was before
 * it was removed; one that disappears, or may not be looked at, has not. Resolves when all have been looked at once, with
 * what ends it.
 */
export async function watchFiles(
  paths: readonly string[],
  onChange: (changed: readonly string[]) => void,
  system: WatchSystem,
): Promise<() => void> {
  const known = new Map<string, string | null>();
  let stopped = false;
  let looking = false;
  const look = async (): Promise<void> => {
    // A slow disk must not make looks overtake each other.
    if (looking) return;
    looking = true;
    const changed: string[] = [];
    for (const path of paths) {
      const stamp = await system.stamp(path).catch(() => null);
      const before = known.get(path);
      if (before === undefined) known.set(path, stamp);
      else if (stamp !== null && stamp !== before) {
        known.set(path, stamp);
        changed.push(path);
      }
    }
    looking = false;
    if (changed.length > 0 && !stopped) onChange(changed);
  };
  await look();
  const end = system.every(INTERVAL, () => void look());
  return () => {
    stopped = true;
    end();
  };
}
