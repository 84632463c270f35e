// `quorate start`: runs one node until it is told to stop, or cannot go on. Decides when to say ready and how to end.
// Invariant: says `ready` once, when it serves; a signal ends it with status 0 after what was begun is done, and within the time for it.

import { once } from 'node:events'
import type { Command } from 'commander'
import type { Configuration } from '../../config/resolve.ts'
import { QuorateError } from '../../errors.ts'
import { print, say, styled, type CommandIo } from '../command-io.ts'
import type { ComposedNode } from '../compose-node.ts'
import { tuneEngine } from '../engine-flags.ts'
import { CommandError, EXIT } from '../exit-status.ts'
import { collectWhenQuiet } from '../idle-collection.ts'
import { onNpmGone } from '../npm-parent.ts'
import { addSettingFlags, configurationOf } from '../setting-flags.ts'
import { packageVersion } from '../version.ts'

/** Of the time that a node has to end: for what is left of the process. */
const EXIT_MS = 250
/** To close files and connections properly, even where no time is given to requests. */
const CLOSE_MS_MIN = 1000
const STOP_MS = 2000

export function register(command: Command, io: CommandIo): void {
  addSettingFlags(command)
    .option('--with-parent', 'stop when the process that started this one is gone (needs its IPC channel)')
    .action(async (flags: { readonly withParent?: boolean }) => {
      const configuration = configurationOf(command, io)
      tuneEngine()
      const { composeNode } = await import('../compose-node.ts')
      const node = await explained(composeNode(configuration, packageVersion()))
      const collection = collectWhenQuiet()
      await runNode(node, configuration, io, flags.withParent ?? false).finally(() => collection.stop())
    })
}

async function runNode(
  node: ComposedNode,
  { settings }: Configuration,
  io: CommandIo,
  withParent: boolean,
): Promise<void> {
  // Both settle at most once; whichever comes first decides how the process ends.
  const stopAsked = Promise.withResolvers<string>()
  const broken = Promise.withResolvers<never>()
  broken.promise.catch(() => {})
  const onSignal = (signal: NodeJS.Signals): void => stopAsked.resolve(signal)
  process.on('SIGTERM', onSignal).on('SIGINT', onSignal)
  const unwatch = onNpmGone(io.env, () => stopAsked.resolve('npm is gone'))
  if (withParent && process.connected) {
    process.once('disconnect', () => stopAsked.resolve('its parent is gone'))
  }
  node.onFatal((error) => broken.reject(error))
  let stopBy: number | null = null
  try {
    const serving = node.start()
    let why = await explained(Promise.race([serving, stopAsked.promise, broken.promise]))
    if (why === undefined) {
      await print(io, `ready ${settings.name} http://${node.clientAddress} pid=${process.pid}\n`)
      why = await explained(Promise.race([stopAsked.promise, broken.promise]))
    } else serving.catch(() => {})
    const drainMs = Math.max(settings.drainMs - EXIT_MS, CLOSE_MS_MIN)
    stopBy = performance.now() + drainMs
    const finished = await explained(Promise.race([node.drain(drainMs, why), deadline(drainMs), broken.promise]))
    if (!finished)
      say(
        io,
        styled(io.stderr, 'yellow', `${settings.name}: not everything was finished within ${settings.drainMs} ms`),
      )
  } finally {
    unwatch()
    process.off('SIGTERM', onSignal).off('SIGINT', onSignal)
    const stopMs = stopBy === null ? STOP_MS : Math.max(0, Math.ceil(stopBy - performance.now()))
    await Promise.race([node.stop(), deadline(stopMs)])
    // What still hangs (a disk that does not answer) must not keep an ended node alive.
    if (process.connected) process.disconnect()
    setTimeout(() => process.exit(), EXIT_MS / 2).unref()
  }
}

/** Operating failures become one clear line and exit status 1; what else is thrown is a bug and keeps its stack. */
async function explained<T>(promise: Promise<T>): Promise<T> {
  try {
    return await promise
  } catch (error) {
    if (error instanceof QuorateError) throw new CommandError(EXIT.failed, error.message)
    const code = error instanceof Error && 'code' in error ? error.code : null
    if (typeof code === 'string' && /^E[A-Z]+$/.test(code))
      throw new CommandError(EXIT.failed, systemFailure(code, error))
    throw error
  }
}

function systemFailure(code: string, error: unknown): string {
  const message = error instanceof Error ? error.message : String(error)
  if (code === 'EADDRINUSE') return `a port is in use already: ${message}; choose another with --port or --peer-port`
  return `this node cannot run: ${message}`
}

async function deadline(ms: number): Promise<false> {
  await once(AbortSignal.timeout(ms), 'abort')
  return false
}
