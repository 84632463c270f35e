// `quorate get`: a value's bytes to standard output as they are stored; siblings as a list to choose from.

import type { Command } from 'commander'
import { failure, jsonBody } from '../answers.ts'
import { print, printJson, say, type CommandIo } from '../command-io.ts'
import { formatSize, printTable } from '../display.ts'
import { listAt, textAt, view, viewsAt, type View } from '../json-view.ts'
import { addKeyFlags, keyHeaders, keyQuery, type KeyFlags } from '../key-flags.ts'
import { answerFacts, tellAnswer, valueFields } from '../key-report.ts'
import { kvPath, type Answer } from '../node-client.ts'
import { addNodeFlags, nodeFlags, withNode } from '../node-command.ts'

interface GetFlags extends KeyFlags {
  readonly sibling?: string
}

export function register(command: Command, io: CommandIo): void {
  addKeyFlags(addNodeFlags(command))
    .argument('<bucket>')
    .argument('<key>')
    .option('--context <context>', 'the answer must include this causal context')
    .option('--sibling <version>', 'one of several siblings')
    .action(async (bucket: string, key: string, flags: GetFlags) => {
      const { json = false } = nodeFlags(command)
      await withNode(nodeFlags(command), io, async (node) => {
        const query = { ...keyQuery(flags), sibling: flags.sibling }
        const answer = await node.ask('GET', kvPath(bucket, key), { query, headers: keyHeaders(flags) })
        if (answer.status === 200) await showValue(io, answer, flags, json)
        else if (answer.status === 300) await showSiblings(io, answer, flags, json)
        else {
          tellAnswer(io, answer, flags)
          throw failure(answer, json)
        }
      })
    })
}

async function showValue(io: CommandIo, answer: Answer, flags: GetFlags, json: boolean): Promise<void> {
  if (json) return printJson(io, { ...answerFacts(answer), ...valueFields(answer.body) })
  await print(io, answer.body)
  // The prompt, not the value, gets the line end that a terminal needs.
  if (io.stdout.isTTY && answer.body.at(-1) !== 10) await print(io, '\n')
  tellAnswer(io, answer, flags)
}

async function showSiblings(io: CommandIo, answer: Answer, flags: GetFlags, json: boolean): Promise<void> {
  const body = view(jsonBody(answer))
  if (json) return printJson(io, { ...answerFacts(answer), siblings: listAt(body, 'siblings') })
  const siblings = viewsAt(body, 'siblings')
  const rows = siblings.map((one) => [
    textAt(one, 'version'),
    textAt(one, 'contentType'),
    textAt(one, 'lastModified'),
    preview(one),
  ])
  await printTable(io, ['version', 'content type', 'last modified', 'value'], rows)
  tellAnswer(io, answer, flags)
  if (flags.quiet) return
  say(
    io,
    `${siblings.length} siblings: concurrent writes that nobody has reconciled. "--sibling <version>" prints one;`,
  )
  say(io, 'a put with --context (above) replaces all of them.')
}

/** One line that a table can hold: control characters escaped, long values cut. */
function preview(sibling: View): string {
  const text = textAt(sibling, 'text')
  if (text !== null) {
    const quoted = JSON.stringify(text)
    return quoted.length > 60 ? `${quoted.slice(0, 59)}…` : quoted
  }
  const base64 = textAt(sibling, 'base64')
  return base64 === null ? '(not shown)' : `(binary, ${formatSize(Buffer.from(base64, 'base64').length)})`
}
