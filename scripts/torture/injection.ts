// System calls of a running process that fail, or are slow, for as long as strace is attached to it. A call that fails so was never made:
// what was to be written is not in the page cache either, so an acknowledgement that did not wait for it is seen after a mere kill.
// Invariant: strace is gone when `end` resolves, or with this process; what it held goes on as it was.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync, rmSync } from 'node:fs'
import { until } from './waiting.ts'

/** How a log is written: with O_DSYNC, so that the call that writes is the call that syncs (`src/io/file-disk.ts`). Sockets use others. */
export const WRITES = 'pwrite64,pwritev,pwritev2'
export const SYNCS = 'fdatasync,fsync'
const ATTACH_WITHIN_MS = 10_000

export class Injection {
  readonly #strace: ChildProcess
  readonly #log: string
  #stderr = ''
  #ended = false
  readonly #onExit = (): void => void this.#strace.kill('SIGTERM')

  /** `what` as `strace -e inject=` takes it behind the calls: `error=EIO`, `error=EIO:when=3`, `delay_enter=500ms`. */
  constructor(pid: number, calls: string, what: string, log: string) {
    this.#log = log
    const trace = ['-f', '-p', String(pid), '-o', log, '-e', `trace=${calls}`, '-e', `inject=${calls}:${what}`]
    this.#strace = spawn('strace', trace, { stdio: ['ignore', 'ignore', 'pipe'] })
    this.#strace.stderr?.on('data', (chunk: Buffer) => (this.#stderr += chunk.toString()))
    this.#strace.once('error', (error) => (this.#stderr += `${error.message} (Debian, Ubuntu: apt-get install strace)`))
    this.#strace.once('close', () => (this.#ended = true))
    process.on('exit', this.#onExit)
  }

  /** Attached, to all threads; throws where that is not possible. */
  async attached(): Promise<this> {
    const isAttached = (): boolean => /Process \d+ attached/.test(this.#stderr)
    await until('strace is attached', () => isAttached() || this.#ended, ATTACH_WITHIN_MS, 5)
    if (!isAttached()) {
      process.off('exit', this.#onExit)
      throw new Error(`strace: ${this.#stderr.trim()}`)
    }
    return this
  }

  /** Calls that have failed or were slowed down. */
  get count(): number {
    try {
      return readFileSync(this.#log, 'utf8').split(/\((?:INJECTED|DELAYED)\)/).length - 1
    } catch {
      return 0
    }
  }

  /** Lets go; resolves with the count. */
  async end(): Promise<number> {
    this.#strace.kill('SIGTERM')
    await until('strace has ended', () => this.#ended, ATTACH_WITHIN_MS, 5)
    process.off('exit', this.#onExit)
    const count = this.count
    rmSync(this.#log, { force: true })
    return count
  }
}

/** Why calls cannot be made to fail here; null where they can. `log`: a file that may be written. */
export async function whyNoInjection(log: string): Promise<string | null> {
  if (process.platform !== 'linux') return 'this needs Linux'
  if (spawnSync('strace', ['-V']).error) return 'there is no strace (Debian, Ubuntu: apt-get install strace)'
  const sleeper = spawn('sleep', ['60'], { stdio: 'ignore' })
  try {
    const injection = await new Injection(sleeper.pid ?? 0, SYNCS, 'error=EIO', log).attached()
    await injection.end()
    return null
  } catch (error) {
    return error instanceof Error ? error.message : String(error)
  } finally {
    sleeper.kill('SIGKILL')
  }
}
