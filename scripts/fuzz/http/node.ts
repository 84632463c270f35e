// One node as a process of its own, in memory, with the watch in it. Decides nothing. Invariant: it is dead when `end` resolves, and
// dies with its parent; what it logged beside requests is kept for whoever asks why.

import { type ChildProcess, spawn } from 'node:child_process'
import { readdirSync, readFileSync } from 'node:fs'
import { fileURLToPath } from 'node:url'
import { serverEnvironment, serverFlags } from '../../../src/cli/runtime.ts'
import type { Watched } from './watch.ts'

const MAIN = fileURLToPath(new URL('../../../src/main.ts', import.meta.url))
const WATCH = new URL('watch.ts', import.meta.url).href
const LOG_BYTES = 20_000

export class WatchedNode {
  readonly port: number
  readonly #child: ChildProcess
  readonly #exited: Promise<string>
  #log = ''
  #exit: string | null = null

  private constructor(child: ChildProcess, port: number, exited: Promise<string>) {
    this.#child = child
    this.port = port
    this.#exited = exited
    void exited.then((how) => (this.#exit = how))
    const note = (chunk: Buffer): void => {
      this.#log = (this.#log + chunk.toString()).slice(-LOG_BYTES)
    }
    child.stderr?.on('data', note)
    child.stdout?.on('data', note)
  }

  static start(): Promise<WatchedNode> {
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('QUORATE_')))
    const args = ['start', '--name', 'node-0', '--memory', '--port', '0', '--peer-port', '0', '--with-parent']
    const child = spawn(process.execPath, [...serverFlags(env), '--import', WATCH, MAIN, ...args], {
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
      env: serverEnvironment({ ...env, QUORATE_LOG_LEVEL: 'error' }),
    })
    const exited = new Promise<string>((resolve) =>
      child.once('exit', (code, signal) => resolve(`exit status ${code}, signal ${signal}`)),
    )
    return new Promise((resolve, reject) => {
      let said = ''
      child.stdout?.on('data', (chunk: Buffer) => {
        said += chunk.toString()
        const port = /^ready \S+ http:\/\/[^:]+:(\d+)/m.exec(said)?.[1]
        if (port !== undefined) resolve(new WatchedNode(child, Number(port), exited))
      })
      let complaints = ''
      child.stderr?.on('data', (chunk: Buffer) => (complaints += chunk.toString()))
      void exited.then((how) => reject(new Error(`the node ended before it was ready: ${how}\n${complaints}`)))
    })
  }

  /** How it ended; null while it lives. */
  get exit(): string | null {
    return this.#exit
  }

  /** What it logged at the level of errors. */
  get log(): string {
    return this.#log
  }

  watched(): Promise<Watched> {
    return new Promise((resolve, reject) => {
      this.#child.once('message', (message) => resolve(message as Watched))
      void this.#exited.then((how) => reject(new Error(how)))
      this.#child.send('watched')
    })
  }

  /** MiB. */
  get residentMiB(): number {
    const status = readFileSync(`/proc/${this.#child.pid}/status`, 'utf8')
    return Math.round(Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1]) / 1024)
  }

  get descriptors(): number {
    return readdirSync(`/proc/${this.#child.pid}/fd`).length
  }

  async end(): Promise<void> {
    this.#child.kill('SIGKILL')
    await this.#exited
  }
}
