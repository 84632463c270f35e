// One node as a real process with a directory and ports that outlive it: started, killed, started again, its directory wiped.
// Decides nothing about clusters. Invariant: a process that was started is dead when `end` resolves, and dies with its parent.

import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync, rmSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { serverEnvironment, serverFlags } from '../../src/cli/runtime.ts'
import { until } from './waiting.ts'

const MAIN = fileURLToPath(new URL('../../src/main.ts', import.meta.url))
const READY_WITHIN_MS = 60_000
/** What this shell says of its own nodes is not for these. */
const WITHOUT_SETTINGS = Object.fromEntries(
  Object.entries(process.env).filter(([name]) => !name.startsWith('QUORATE_')),
)

export interface NodePlan {
  readonly name: string
  readonly clientPort: number
  readonly peerPort: number
  readonly dir: string
  /** Arguments after `start`. */
  readonly args: readonly string[]
  readonly logFile: string
  /** Where clients and nodes find it; without it the loopback. */
  readonly host?: string
  /** What the process is started by, where that is not this process itself (`ip netns exec …`). It must become the process. */
  readonly startedBy?: readonly string[]
}

export interface Exit {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
}

interface Run {
  readonly child: ChildProcess
  readonly exited: Promise<Exit>
  stdout: string
  exit: Exit | null
}

export class NodeProcess {
  readonly plan: NodePlan
  readonly url: string
  readonly host: string
  #run: Run | null = null
  #eras = 0
  #eraBeganAt = 0
  #isPaused = false
  #isEnding = false

  constructor(plan: NodePlan) {
    this.plan = plan
    this.host = plan.host ?? '127.0.0.1'
    this.url = `http://${this.host}:${plan.clientPort}`
  }

  get name(): string {
    return this.plan.name
  }

  get running(): boolean {
    return this.#run !== null && this.#run.exit === null
  }

  get isPaused(): boolean {
    return this.#isPaused
  }

  /** Serves as far as is known: ready, and nothing was done to it that stops or ends it. */
  get isWell(): boolean {
    return this.running && this.saidReady && !this.#isPaused && !this.#isEnding
  }

  /** Names the stretch of time since the last start or signal. */
  get era(): string {
    return String(this.#eras)
  }

  get eraMs(): number {
    return performance.now() - this.#eraBeganAt
  }

  get pid(): number | undefined {
    return this.#run?.child.pid
  }

  /** Has printed its ready line since it was last started. */
  get saidReady(): boolean {
    return this.#run?.stdout.includes(`ready ${this.name} `) ?? false
  }

  /** How the last run ended; null while it runs. */
  get exit(): Exit | null {
    return this.#run?.exit ?? null
  }

  get exited(): Promise<Exit> {
    return this.#run?.exited ?? Promise.resolve({ code: null, signal: null })
  }

  /** Starts it; does not wait. */
  start(...moreArgs: string[]): void {
    if (this.running) throw new Error(`${this.name} runs already`)
    const log = openSync(this.plan.logFile, 'a')
    const [command, ...args] = [
      ...(this.plan.startedBy ?? []),
      process.execPath,
      ...serverFlags(WITHOUT_SETTINGS),
      MAIN,
      'start',
      ...this.plan.args,
      ...moreArgs,
      '--with-parent',
    ]
    const child = spawn(command, args, {
      stdio: ['ignore', 'pipe', log, 'ipc'],
      env: serverEnvironment(WITHOUT_SETTINGS),
    })
    closeSync(log)
    const exited = new Promise<Exit>((done) => {
      child.once('exit', (code, signal) => {
        run.exit = { code, signal }
        done(run.exit)
      })
    })
    const run: Run = { child, exited, stdout: '', exit: null }
    child.stdout?.on('data', (chunk: Buffer) => (run.stdout += chunk.toString()))
    this.#run = run
    this.#newEra()
    this.#isPaused = false
    this.#isEnding = false
  }

  async ready(withinMs: number = READY_WITHIN_MS): Promise<void> {
    await until(
      () => `${this.name} is ready; its log ends:\n${this.logTail()}`,
      () => this.saidReady || !this.running,
      withinMs,
      20,
    )
    if (!this.saidReady) throw new Error(`${this.name} ended before it was ready; its log ends:\n${this.logTail()}`)
  }

  signal(signal: NodeJS.Signals): void {
    if (!this.running) return
    this.#newEra()
    if (signal === 'SIGSTOP' || signal === 'SIGCONT') this.#isPaused = signal === 'SIGSTOP'
    else this.#isEnding = true
    this.#run?.child.kill(signal)
  }

  #newEra(): void {
    this.#eras++
    this.#eraBeganAt = performance.now()
  }

  /** SIGKILL, and gone. */
  async kill(): Promise<Exit> {
    this.signal('SIGKILL')
    return this.exited
  }

  /** Removes its directory; it must not run. */
  wipe(): void {
    if (this.running) throw new Error(`${this.name} still runs`)
    rmSync(this.plan.dir, { recursive: true, force: true })
  }

  logTail(lines: number = 12): string {
    try {
      return readFileSync(this.plan.logFile, 'utf8').trimEnd().split('\n').slice(-lines).join('\n')
    } catch {
      return ''
    }
  }
}
