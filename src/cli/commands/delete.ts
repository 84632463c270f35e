// `quorate delete`: supersedes what a context saw, or what is found now.

import type { Command } from 'commander'
import { failure, receiptOf } from '../answers.ts'
import { printJson, say, type CommandIo } from '../command-io.ts'
import { addKeyFlags, keyHeaders, keyQuery, type KeyFlags } from '../key-flags.ts'
import { answerFacts, tellAnswer } from '../key-report.ts'
import { kvPath } from '../node-client.ts'
import { addNodeFlags, nodeFlags, withNode } from '../node-command.ts'

interface DeleteFlags extends KeyFlags {
  readonly ifMatch?: string
}

export function register(command: Command, io: CommandIo): void {
  addKeyFlags(addNodeFlags(command))
    .argument('<bucket>')
    .argument('<key>')
    .option('--context <context>', 'the causal context that this deletion supersedes (default: latest)')
    .option('--if-match <etag>', 'delete only if this is what is stored')
    .action(async (bucket: string, key: string, flags: DeleteFlags) => {
      const { json = false } = nodeFlags(command)
      await withNode(nodeFlags(command), io, async (node) => {
        const headers = { ...keyHeaders(flags), 'if-match': flags.ifMatch }
        const answer = await node.ask('DELETE', kvPath(bucket, key), { query: keyQuery(flags), headers })
        if (!json) tellAnswer(io, answer, flags)
        if (answer.status >= 400) throw failure(answer, json)
        if (json) await printJson(io, answerFacts(answer))
        else if (!flags.quiet && receiptOf(answer)?.['superseded'] === 0) say(io, 'nothing was there')
      })
    })
}
