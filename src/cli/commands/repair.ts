// `quorate repair`: has a node compare its partitions with every reachable replica now; `--status` only looks. Fails when the round
// that it asked for did, whatever went wrong before.

import type { Command } from 'commander'
import { failure, jsonBody } from '../answers.ts'
import { printJson, say, type CommandIo } from '../command-io.ts'
import { formatAge, formatSize, printFacts, printTable } from '../display.ts'
import { CommandError, EXIT } from '../exit-status.ts'
import { flagAt, numberAt, textAt, textsAt, view, viewsAt, type View } from '../json-view.ts'
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
        if (json) await printJson(io, body)
        else await showRepair(io, view(body))
        // Only what was asked for now: older failures are told, and are no failure of this command.
        const failed = textsAt(view(body), 'failed')
        if (failed.length > 0) throw new CommandError(EXIT.failed, `this round failed with ${failed.join('; ')}`)
      })
    })
}

async function showRepair(io: CommandIo, repair: View): Promise<void> {
  const count = (name: string): number => numberAt(repair, name) ?? 0
  await printFacts(io, [
    ['running', flagAt(repair, 'running')],
    ['rounds', count('rounds')],
    ['rounds with a peer that failed', count('roundFailures')],
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
      textAt(peer, 'error'),
    ])
    await printTable(io, ['peer', 'last round', 'differing', 'error'], rows)
  }
  const error = textAt(repair, 'lastError')
  if (error !== null) say(io, `last error: ${error}`)
}
