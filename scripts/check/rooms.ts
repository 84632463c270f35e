// The declared shape of the code base: which room may know which. This table decides; the checker beside it only compares.
// Invariant: a room is a folder of src/ (or a file directly in it); what is not listed is forbidden.

export interface Arrows {
  /** Rooms whose values and types may be imported. */
  readonly values: readonly string[]
  /** Rooms of which only types may be imported (`import type`), so that nothing of them runs. */
  readonly types?: readonly string[]
  /** npm packages that may be imported; any when absent. */
  readonly packages?: readonly string[]
  /** Whether `node:` modules may be imported; true when absent. */
  readonly nodeModules?: boolean
}

/** Importable from everywhere. */
export const OPEN_TO_ALL: readonly string[] = ['errors']

const LOWER = ['protocol', 'ports', 'core']
const ENGINE = ['config', 'storage', 'replica', 'coordinator', 'cluster', 'repair', 'link', 'telemetry', ...LOWER]

export const ROOMS: Readonly<Record<string, Arrows>> = {
  errors: { values: [], packages: [], nodeModules: false },
  main: { values: ['cli'], packages: [], nodeModules: false },
  core: { values: [], packages: ['xxhash-wasm'], nodeModules: false },
  ports: { values: ['core'], packages: [], nodeModules: false },
  protocol: { values: ['core'] },
  config: { values: ['core'] },
  telemetry: { values: ['core', 'ports'] },
  link: { values: LOWER, types: ['telemetry'] },
  storage: { values: LOWER, types: ['telemetry'] },
  replica: { values: ['storage', ...LOWER] },
  cluster: { values: ['link', 'storage', ...LOWER], types: ['telemetry'] },
  coordinator: { values: ['replica', 'link', ...LOWER], types: ['telemetry'] },
  repair: { values: ['replica', 'storage', 'link', ...LOWER], types: ['cluster', 'telemetry'] },
  node: { values: ENGINE },
  http: { values: ['node', 'telemetry', 'config', ...LOWER], types: ['coordinator'] },
  io: { values: LOWER },
  simulator: { values: ['node', ...ENGINE] },
  cli: { values: ['node', 'http', 'io', ...ENGINE] },
}
