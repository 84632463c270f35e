// `quorate hints`: what a node keeps for others that were away.

import type { Command } from 'commander'
import { failure, jsonBody } from '../answers.ts'
import { printJson, say, type CommandIo } from '../command-io.ts'
import { formatAge, formatSize, printTable } from '../display.ts'
import { flagAt, numberAt, textAt, view, viewsAt } from '../json-view.ts'
import { addNodeFlags, nodeFlags, withNode } from '../node-command.ts'

export function register(command: Command, io: CommandIo): void {
  addNodeFlags(command).action(async () => {
    const { json = false } = nodeFlags(command)
    await withNode(nodeFlags(command), io, async (node) => {
      const answer = await node.ask('GET', '/v1/hints')
      if (answer.status !== 200) throw failure(answer, json)
      const body = jsonBody(answer)
      if (json) return printJson(io, body)
      const hints = view(body)
      const rows = viewsAt(hints, 'targets').map((target) => [
        textAt(target, 'node'),
        numberAt(target, 'hints'),
        formatSize(numberAt(target, 'bytes') ?? 0),
        formatAge(numberAt(target, 'oldestMs')),
        flagAt(target, 'reachable'),
      ])
      await printTable(io, ['for', 'hints', 'bytes', 'oldest', 'reachable'], rows)
      const used = `${formatSize(numberAt(hints, 'bytes') ?? 0)} of ${formatSize(numberAt(hints, 'bytesMax') ?? 0)}`
      say(io, `${numberAt(hints, 'hints') ?? 0} hints, ${used}`)
    })
  })
}
