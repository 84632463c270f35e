// What every command has in common that asks a node: --url, --json, one client, closed at the end.

import type { Command } from 'commander'
import type { CommandIo } from './command-io.ts'
import type { NodeClient } from './node-client.ts'

export interface NodeFlags {
  readonly url?: string
  readonly json?: boolean
}

const URL_DEFAULT = 'http://127.0.0.1:7480'

export function addNodeFlags(command: Command): Command {
  return command
    .option('--url <url>', `the node to ask (default: QUORATE_URL, else ${URL_DEFAULT})`)
    .option('--json', 'print JSON')
}

/** The flags in force: those given before the command's name count as well. */
export function nodeFlags(command: Command): NodeFlags {
  return command.optsWithGlobals<NodeFlags>()
}

export function urlOf(flags: NodeFlags, io: CommandIo): string {
  return flags.url ?? (io.env['QUORATE_URL'] || URL_DEFAULT)
}

export async function withNode<T>(flags: NodeFlags, io: CommandIo, use: (node: NodeClient) => Promise<T>): Promise<T> {
  // The HTTP client takes longer to load than all the rest together, so only those wait for it who need it.
  const { NodeClient: Client } = await import('./node-client.ts')
  const node = new Client(urlOf(flags, io))
  try {
    return await use(node)
  } finally {
    await node.close()
  }
}
