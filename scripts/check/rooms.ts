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
const ENGINE = ['storage', 'replica', 'coordinator', 'cluster', 'repair', 'link', 'telemetry', ...LOWER]

export const ROOMS: Readonly<Record<string, Arrows>> = {
  errors: { values: [], packages: [], nodeModules: false },
  main: { values: ['cli'], packages: [], nodeModules: false },
  core: { values: [], packages: ['xxhash-wasm'], nodeModules: false },
  ports: { values: [], packages: [], nodeModules: false },
  protocol: { values: ['core'] },
  config: { values: [] },
  telemetry: { values: [] },
  link: { values: ['protocol', 'ports'], types: ['telemetry'] },
  storage: { values: ['ports', 'core'], types: ['telemetry'] },
  replica: { values: ['storage', ...LOWER] },
  cluster: { values: ['link', 'storage', ...LOWER], types: ['telemetry'] },
  coordinator: { values: ['replica', 'link', ...LOWER] },
  repair: { values: ['replica', 'storage', 'link', ...LOWER] },
  node: { values: ENGINE },
  http: { values: ['node', 'telemetry', 'protocol', 'core'], types: ['coordinator'] },
  io: { values: ['ports'] },
  simulator: { values: ['node', 'coordinator', 'replica', 'storage', 'telemetry', ...LOWER] },
  cli: { values: ['node', 'http', 'io', 'config', 'telemetry', 'core'] },
}
