// `quorate repair`: has a node compare its partitions with every reachable replica now; `--status` only looks.

import type { Command } from 'commander'
import { failure, jsonBody } from '../answers.ts'
import { printJson, say, type CommandIo } from '../command-io.ts'
import { formatAge, formatSize, printFacts, printTable } from '../display.ts'
import { flagAt, numberAt, textAt, view, viewsAt, type View } from '../json-view.ts'
import { addNodeFlags, nodeFlags, withNode } from '../node-command.ts'

export function register(command: Command, io: CommandIo): void {
  addNodeFlags(command)
    .option('--status', 'show how repair stands, start nothing')
    .action(async (options: { readonly status?: boolean }) => {
      const { json = false } = nodeFlags(command)
      await withNode(nodeFlags(command), io, async (node) => {
        const answer = await node.ask(options.status ? 'GET' : 'POST', '/v1/repair', { timeoutMs: 0 })
        if (answer.status >= 400) throw failure(answer, json)
        const body = jsonBody(answer)
        if (json) return printJson(io, body)
        await showRepair(io, view(body))
      })
    })
}

async function showRepair(io: CommandIo, repair: View): Promise<void> {
  const count = (name: string): number => numberAt(repair, name) ?? 0
  await printFacts(io, [
    ['running', flagAt(repair, 'running')],
    ['rounds', count('rounds')],
    ['comparisons', count('comparisons')],
    ['keys repaired', count('keysRepaired')],
    ['read repairs', count('readRepairs')],
    ['collected', count('collected')],
    ['partitions filling', count('filling')],
    ['bytes sent', formatSize(count('bytesSent'))],
    ['bytes received', formatSize(count('bytesReceived'))],
    ['oldest comparison', formatAge(numberAt(repair, 'oldestComparisonMs'))],
  ])
  const peers = viewsAt(repair, 'peers')
  if (peers.length > 0) {
    const rows = peers.map((peer) => [
      textAt(peer, 'node'),
      formatAge(numberAt(peer, 'lastRoundMs')),
      numberAt(peer, 'differing'),
    ])
    await printTable(io, ['peer', 'last round', 'differing'], rows)
  }
  const error = textAt(repair, 'lastError')
  if (error !== null) say(io, `last error: ${error}`)
}
