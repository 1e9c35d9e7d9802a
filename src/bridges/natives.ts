// The runtime's own fetch classes, as they were before anything took their place. Everything in this folder that needs
// the real thing takes it from here; never from globalThis, which may hold the light classes by then.

const NATIVE: unique symbol = Symbol.for("tricorn.native") as never;

/** Marks `light` as standing in for `native`, so that a second copy of this module finds the native one. */
export function standsFor(light: object, native: object): void {
  Object.defineProperty(light, NATIVE, { value: native });
}

function native<T>(current: T): T {
  const behind = (current as { [NATIVE]?: T })[NATIVE];
  return behind === undefined ? current : behind;
}

export const NativeRequest: typeof globalThis.Request = native(globalThis.Request);
export const NativeResponse: typeof globalThis.Response = native(globalThis.Response);
export const NativeHeaders: typeof globalThis.Headers = native(globalThis.Headers);

const ordinaryHasInstance = Function.prototype[Symbol.hasInstance];

/**
 * The `Symbol.hasInstance` of a class that takes a native one's place: what is an instance of the native class is one
 * of `light` too. A subclass inherits the method, and keeps the ordinary meaning.
 */
export function hasInstance(asked: unknown, value: unknown, light: unknown, native: unknown): boolean {
  return ordinaryHasInstance.call((asked === light ? native : asked) as () => void, value);
}

/**
 * Completes `light`'s prototype from `Native`'s: members that it does not define, and the symbols under which some
 * runtimes (Node 20, Deno) keep an instance's state, are looked up on the native object that `reveal` makes on demand.
 * That is what lets such a runtime's own functions take a light object for a real one.
 */
export function completeFrom<T extends object>(prototype: object, sample: T, reveal: (light: never) => T): void {
  const nativePrototype = Object.getPrototypeOf(sample) as object;
  for (const key of Reflect.ownKeys(nativePrototype)) {
    const descriptor = Object.getOwnPropertyDescriptor(nativePrototype, key)!;
    if (Object.hasOwn(prototype, key)) {
      // Members of a Web IDL interface enumerate (`for in`), which those of a class do not.
      Object.defineProperty(prototype, key, { enumerable: descriptor.enumerable ?? false });
      continue;
    }
    if (typeof descriptor.value === "function") {
      const method = descriptor.value as (...args: unknown[]) => unknown;
      Object.defineProperty(prototype, key, {
        ...descriptor,
        value(this: never, ...args: unknown[]): unknown {
          return method.apply(reveal(this), args);
        },
      });
    } else if (descriptor.get !== undefined) {
      const read = descriptor.get;
      Object.defineProperty(prototype, key, {
        configurable: true,
        enumerable: descriptor.enumerable ?? false,
        get(this: never): unknown {
          return read.call(reveal(this));
        },
      });
    }
  }
  for (const key of Object.getOwnPropertySymbols(sample)) {
    if (Object.hasOwn(prototype, key)) continue;
    Object.defineProperty(prototype, key, {
      configurable: true,
      get(this: never): unknown {
        return (reveal(this) as Record<symbol, unknown>)[key];
      },
      set(this: never, value: unknown) {
        (reveal(this) as Record<symbol, unknown>)[key] = value;
      },
    });
  }
}
