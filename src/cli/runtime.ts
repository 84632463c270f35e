// How Node itself is to run under a server: decides flags of the engine and of the allocator, which can only be given to a process that
// begins. Knows nothing of nodes. Invariant: flags that the user gave come later and win.

/**
 * A server keeps its data outside the JavaScript heap, and of what a request leaves on the heap nothing survives. As it comes, the young
 * generation grows to 130 MB, four threads of the engine keep what compiling took, and nobody may ask for a collection.
 */
export const SERVER_FLAGS: readonly string[] = [
  '--max-semi-space-size=4',
  '--expose-gc',
  '--v8-pool-size=2',
  '--disable-warning=ExperimentalWarning',
]

/** glibc: one arena for all threads, and what is as large as a segment goes back to the system when it is freed. */
const ALLOCATOR = { MALLOC_ARENA_MAX: '1', MALLOC_MMAP_THRESHOLD_: String(128 << 10) }

const MARK = 'RUNTIME_OF_QUORATE'

export function serverEnvironment(env: Readonly<Record<string, string | undefined>>): Record<string, string> {
  const given = Object.entries({ ...ALLOCATOR, ...env, [MARK]: 'tuned' })
  return Object.fromEntries(given.filter((entry): entry is [string, string] => entry[1] !== undefined))
}

/**
 * Begins this process anew, with the same id, as a server runs best; comes back where it does already, or can not: on Windows, in an older
 * Node, and with a channel to a parent, which would be lost (the parent gives the flags).
 */
export function becomeServer(script: string, args: readonly string[]): void {
  const { env, execPath, execArgv, platform } = process
  if (env[MARK] !== undefined || process.channel || platform === 'win32' || !process.execve) return
  try {
    process.execve(execPath, [execPath, ...SERVER_FLAGS, ...execArgv, script, ...args], serverEnvironment(env))
  } catch {
    // It runs as it is, only with more memory.
  }
}
