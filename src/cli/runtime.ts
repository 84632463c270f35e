// How Node itself is to run under a server: decides flags of the engine and settings of the allocator, which can only be given to a
// process that begins. Knows nothing of nodes. Invariant: what the user set wins.

import { accessSync, constants } from 'node:fs'

/**
 * A server keeps its data outside the JavaScript heap, and what a request leaves on the heap dies young. As it comes, the young generation
 * grows to 130 MB with the load; here it has its size from the start, so that memory grows with the data alone. With a fourth of it what
 * is under way is copied so often that a write costs a quarter more. Four threads of the engine would each keep what compiling took.
 */
const SERVER_FLAGS: readonly string[] = [
  '--min-semi-space-size=16',
  '--max-semi-space-size=16',
  '--v8-pool-size=2',
  '--disable-warning=ExperimentalWarning',
]

/** glibc: one arena for all threads, and what is as large as a segment goes back to the system when it is freed. */
const ALLOCATOR = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: String(128 << 10) }

/** Says that it has been done; set to anything, it keeps a process as it was begun. */
const MARK = 'RUNTIME_OF_QUORATE'

type Environment = Readonly<Record<string, string | undefined>>

/** The command line's own flags come behind these; those of `NODE_OPTIONS` would not, so they are left out here. */
export function serverFlags(env: Environment): string[] {
  const given = env['NODE_OPTIONS'] ?? ''
  return SERVER_FLAGS.filter((flag) => !given.includes(flag.split('=')[0] as string))
}

export function serverEnvironment(env: Environment): Record<string, string> {
  const all = Object.entries({ ...ALLOCATOR, ...env, [MARK]: 'tuned' })
  return Object.fromEntries(all.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/**
 * Begins this process anew, with the same id, as a server runs best; comes back where it does already, or can not: on Windows, in an older
 * Node, and with a channel to a parent, which would be lost (the parent gives the flags).
 */
export function becomeServer(script: string, args: readonly string[]): void {
  const { env, execPath, execArgv, platform } = process
  if (env[MARK] !== undefined || process.channel || platform === 'win32' || !process.execve) return
  try {
    // A failing execve(2) ends the process; so what may fail is tried before.
    accessSync(execPath, constants.X_OK)
    process.execve(execPath, [execPath, ...serverFlags(env), ...execArgv, script, ...args], serverEnvironment(env))
  } catch {
    // Where it is not permitted it runs as it is, only with more memory.
  }
}
