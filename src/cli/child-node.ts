// One node of a local cluster as a child process: starts it, waits for its ready line, stops it. Restarts nothing.
// Invariant: the child follows its parent into the grave (its channel closes), a node started by hand does not.

import { spawn, type ChildProcess } from 'node:child_process'
import { closeSync, openSync, readFileSync, writeSync } from 'node:fs'
import { extname } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import type { Writable } from 'node:stream'
import { serverEnvironment, serverFlags } from './runtime.ts'

export interface ChildNodePlan {
  readonly name: string
  readonly port: number
  readonly peerPort: number
  /** Arguments after `start`. */
  readonly args: readonly string[]
  readonly logFile: string
}

export type Exit = { readonly code: number | null; readonly signal: NodeJS.Signals | null }

const LOG_TAIL_LINES = 8

export class ChildNode {
  readonly plan: ChildNodePlan
  /** The child's ready line; rejects when it ends before. */
  readonly ready: Promise<string>
  readonly exited: Promise<Exit>
  readonly #child: ChildProcess
  #running = true

  /** `verbose`: its log goes there as well, with its name before each line. */
  constructor(plan: ChildNodePlan, env: Readonly<Record<string, string | undefined>>, verbose: Writable | null) {
    this.plan = plan
    const log = openSync(plan.logFile, 'a')
    const main = fileURLToPath(new URL(`../main${extname(import.meta.filename)}`, import.meta.url))
    this.#child = spawn(process.execPath, [...serverFlags(env), main, 'start', ...plan.args, '--with-parent'], {
      env: serverEnvironment(env),
      stdio: ['ignore', 'pipe', verbose === null ? log : 'pipe', 'ipc'],
    })
    this.exited = new Promise((resolve) => {
      const end = (code: number | null, signal: NodeJS.Signals | null): void => {
        this.#running = false
        closeLater(log)
        resolve({ code, signal })
      }
      this.#child.once('exit', end)
      this.#child.once('error', () => end(1, null))
    })
    this.ready = this.#untilReady()
    // Whoever waits for it sees the failure; nobody waiting is no unhandled rejection.
    this.ready.catch(() => {})
    const { stderr } = this.#child
    if (verbose !== null && stderr !== null) {
      createInterface({ input: stderr }).on('line', (line) => {
        verbose.write(`${plan.name} ${line}\n`)
        if (this.#running) writeSync(log, `${line}\n`)
      })
    }
  }

  get pid(): number | undefined {
    return this.#child.pid
  }

  get running(): boolean {
    return this.#running
  }

  /** SIGTERM, and SIGKILL when it has not ended within `deadlineMs`. */
  async stop(deadlineMs: number): Promise<Exit> {
    if (this.#running) this.#child.kill('SIGTERM')
    const timer = setTimeout(() => this.#running && this.#child.kill('SIGKILL'), deadlineMs)
    return this.exited.finally(() => clearTimeout(timer))
  }

  /** The last lines of its log. */
  logTail(): string {
    try {
      return readFileSync(this.plan.logFile, 'utf8').trimEnd().split('\n').slice(-LOG_TAIL_LINES).join('\n')
    } catch {
      return ''
    }
  }

  async #untilReady(): Promise<string> {
    const { stdout } = this.#child
    return new Promise((resolve, reject) => {
      if (stdout !== null) {
        createInterface({ input: stdout }).on('line', (line) => {
          if (line.startsWith('ready ')) resolve(line)
        })
      }
      void this.exited.then(({ code, signal }) =>
        reject(new Error(`${this.plan.name} ended before it was ready (${signal ?? `exit status ${code}`})`)),
      )
    })
  }
}

/** After the lines that are still on their way. */
function closeLater(file: number): void {
  setTimeout(() => closeSync(file), 100).unref()
}
