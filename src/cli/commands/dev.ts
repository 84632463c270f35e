// `quorate dev`: a local cluster of real processes. Plans them, waits until all serve, says what to try, stops them in the end.
// Invariant: prints nothing as ready before the whole cluster is; leaves no process behind.

import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { extname, join, relative, resolve } from 'node:path'
import type { Command } from 'commander'
import { ChildNode, type ChildNodePlan, type Exit } from '../child-node.ts'
import { print, say, styled, type CommandIo } from '../command-io.ts'
import { CommandError, EXIT } from '../exit-status.ts'
import { portsInUse } from '../free-ports.ts'
import { integer } from '../key-flags.ts'
import { onNpmGone } from '../npm-parent.ts'

interface DevFlags {
  readonly nodes: number
  readonly basePort: number
  readonly data?: string
  readonly memory?: boolean
  readonly verbose?: boolean
  readonly readyWithin: number
}

const HOST = '127.0.0.1'
const PORT_STEP = 10
const PORT_MAX = 65_535
/** How this command line is called where it runs: in a clone, or installed. */
const COMMAND = extname(import.meta.filename) === '.ts' ? 'npm run -s quorate --' : 'quorate'
/** Beyond a node's own drain deadline (10 s by default), so that it ends by itself where it can. */
const STOP_DEADLINE_MS = 15_000

export function register(command: Command, io: CommandIo): void {
  command
    .option('--nodes <count>', 'how many nodes', integer(1, 64), 5)
    .option(
      '--base-port <port>',
      'client port of node 0; node i has port +10·i, and the next one for its peers',
      integer(1, PORT_MAX),
      7480,
    )
    .option('--data <dir>', 'directory of the cluster, one directory below for each node (default: ./.quorate)')
    .option('--memory', 'keep nothing on disk')
    .option('--verbose', "show the nodes' logs here as well")
    .option('--ready-within <seconds>', 'give up when the cluster does not serve by then', integer(1, 3600), 60)
    .argument('[options...]', 'after "--": more options of "quorate start", for every node')
    .action(async (startOptions: readonly string[], flags: DevFlags) => {
      if (flags.memory && flags.data !== undefined)
        throw new CommandError(EXIT.usage, 'give --data or --memory, not both')
      if (flags.basePort + PORT_STEP * (flags.nodes - 1) + 1 > PORT_MAX) {
        throw new CommandError(
          EXIT.usage,
          `${flags.nodes} nodes from port ${flags.basePort} on need ports beyond ${PORT_MAX}`,
        )
      }
      const folder = flags.memory ? mkdtempSync(join(tmpdir(), 'quorate-dev-')) : resolve(flags.data ?? './.quorate')
      try {
        await runCluster(plans(folder, flags, startOptions), io, flags)
      } finally {
        if (flags.memory) rmSync(folder, { recursive: true, force: true })
      }
    })
}

function plans(folder: string, flags: DevFlags, startOptions: readonly string[]): ChildNodePlan[] {
  mkdirSync(folder, { recursive: true })
  const ports = Array.from({ length: flags.nodes }, (_, index) => flags.basePort + PORT_STEP * index)
  return ports.map((port, index) => {
    const name = `node-${index}`
    const others = ports.filter((other) => other !== port).map((other) => `${HOST}:${other + 1}`)
    const storage = flags.memory ? ['--memory'] : ['--data', join(folder, name)]
    const addresses = ['--host', HOST, '--port', String(port), '--peer-host', HOST, '--peer-port', String(port + 1)]
    const cluster = others.length > 0 ? ['--join', others.join(','), '--expect', String(flags.nodes)] : []
    const args = ['--name', name, ...addresses, ...storage, ...cluster, '--dev', ...startOptions]
    // Beside the data directory, which belongs to the storage alone.
    return { name, port, peerPort: port + 1, args, logFile: join(folder, `${name}.log`) }
  })
}

async function runCluster(nodePlans: readonly ChildNodePlan[], io: CommandIo, flags: DevFlags): Promise<void> {
  const ports = nodePlans.flatMap((plan) => [plan.port, plan.peerPort])
  const taken = await portsInUse(HOST, ports)
  if (taken.length > 0) {
    throw new CommandError(
      EXIT.failed,
      `port ${taken.join(', ')} ${taken.length === 1 ? 'is' : 'are'} in use: does another cluster run? Choose others with --base-port`,
    )
  }
  let stopping = false
  const asked = Promise.withResolvers<void>()
  const onSignal = (): void => {
    stopping = true
    asked.resolve()
  }
  process.on('SIGINT', onSignal).on('SIGTERM', onSignal).on('SIGHUP', onSignal)
  const unwatch = onNpmGone(io.env, onSignal)
  const nodes = nodePlans.map((plan) => new ChildNode(plan, io.env, flags.verbose ? io.stderr : null))
  try {
    const allReady = Promise.all(nodes.map((node) => node.ready))
    const lines = await Promise.race([allReady, asked.promise, after(flags.readyWithin)])
    if (lines === undefined) return
    if (lines === 'late') {
      throw new CommandError(
        EXIT.failed,
        `the cluster did not serve within ${flags.readyWithin} s; the logs:\n${tails(nodes)}`,
      )
    }
    for (const node of nodes) void node.exited.then((exit) => stopping || tellExit(node, exit, io))
    await print(io, `${lines.join('\n')}\n`)
    await print(io, tryNext(nodes, flags.memory ?? false))
    await Promise.race([asked.promise, Promise.all(nodes.map((node) => node.exited))])
    if (!stopping) throw new CommandError(EXIT.failed, 'no node is left')
  } catch (error) {
    if (error instanceof CommandError) throw error
    const reason = error instanceof Error ? error.message : String(error)
    throw new CommandError(EXIT.failed, `${reason}; its log:\n${tails(nodes.filter((node) => !node.running))}`)
  } finally {
    stopping = true
    const alive = nodes.filter((node) => node.running)
    const exits = await Promise.all(alive.map((node) => node.stop(STOP_DEADLINE_MS)))
    unwatch()
    process.off('SIGINT', onSignal).off('SIGTERM', onSignal).off('SIGHUP', onSignal)
    const killed = alive.filter((_, index) => exits[index]?.signal === 'SIGKILL').map((node) => node.plan.name)
    if (killed.length > 0) say(io, `${killed.join(', ')} did not end in time and had to be killed`)
  }
}

function after(seconds: number): Promise<'late'> {
  return new Promise((done) => setTimeout(() => done('late'), seconds * 1000).unref())
}

function tails(nodes: readonly ChildNode[]): string {
  return nodes.map((node) => `${node.plan.logFile}\n${node.logTail().replaceAll(/^/gm, '  ')}`).join('\n')
}

function tellExit(node: ChildNode, { code, signal }: Exit, io: CommandIo): void {
  const how = signal === null ? `ended with exit status ${code}` : `was ended by ${signal}`
  say(
    io,
    styled(
      io.stderr,
      'yellow',
      `${node.plan.name} (pid ${node.pid}) ${how}; its log is ${shortPath(node.plan.logFile)}`,
    ),
  )
  say(io, `  it comes back by: ${COMMAND} start ${node.plan.args.map(quoted).join(' ')}`)
}

/** As a shell takes it. */
function quoted(word: string): string {
  return /^[\w./:,=@%+-]+$/.test(word) ? word : `'${word.replaceAll("'", "'\\''")}'`
}

function tryNext(nodes: readonly ChildNode[], memory: boolean): string {
  const url = (index: number): string => `http://${HOST}:${nodes[index % nodes.length]?.plan.port}`
  const last = nodes.at(-1)
  const kept = memory ? 'in memory only' : `in ${shortPath(resolve(last?.plan.logFile ?? '', '..'))}`
  const killing =
    nodes.length > 2
      ? `  kill -9 ${last?.pid}   # ${last?.plan.name} is gone; reads and writes go on\n`
      : '  # with three nodes or more, kill one and go on reading and writing\n'
  return (
    `\n${nodes.length === 1 ? 'One node serves' : `${nodes.length} nodes serve`}, data ${kept}. Try:\n` +
    `  curl -i -X PUT ${url(0)}/v1/kv/greetings/hello -d 'good day'\n` +
    `  curl -i ${url(1)}/v1/kv/greetings/hello   # through another node\n` +
    `  curl -s ${url(0)}/v1/ring/greetings/hello   # where it lives\n` +
    `${killing}Ctrl-C stops the cluster.\n`
  )
}

function shortPath(path: string): string {
  const short = relative(process.cwd(), path)
  return short.startsWith('..') || short === '' ? path : `./${short}`
}
