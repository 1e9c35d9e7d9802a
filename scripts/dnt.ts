// The part of dnt's interface (jsr:@deno/dnt 0.43) that build_npm.ts uses, declared here because JSR is not always in
// reach, and types have to be checked all the same.

export interface EntryPoint {
  readonly kind?: "export" | "bin";
  readonly name: string;
  readonly path: string;
}

export interface BuildOptions {
  readonly entryPoints: readonly EntryPoint[];
  readonly outDir: string;
  /** The path of an import map: bare specifiers, each with the `npm:` specifier that it means. */
  readonly importMap?: string;
  /** Which of Deno's globals get a replacement for Node. */
  readonly shims: { readonly deno?: boolean | "dev" };
  readonly package: { readonly name: string; readonly version: string; readonly [field: string]: unknown };
  readonly scriptModule?: "cjs" | "umd" | false;
  readonly declaration?: "inline" | "separate" | false;
  readonly typeCheck?: "single" | "both" | false;
  readonly test?: boolean;
  readonly skipSourceOutput?: boolean;
  readonly polyfills?: boolean;
  readonly compilerOptions?: {
    readonly target?: string;
    readonly lib?: readonly string[];
    readonly noUncheckedIndexedAccess?: boolean;
  };
  readonly postBuild?: () => void | Promise<void>;
}

export interface Dnt {
  build(options: BuildOptions): Promise<void>;
  emptyDir(path: string): Promise<void>;
}
