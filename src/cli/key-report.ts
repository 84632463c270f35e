// Tells a person, or a script, what a node said about a key: context, version, receipt, each replica's part.

import { receiptOf } from './answers.ts'
import { say, styled, type CommandIo } from './command-io.ts'
import type { KeyFlags } from './key-flags.ts'
import type { Answer } from './node-client.ts'

const TOLD = [
  ['version', 'quorate-version'],
  ['context', 'quorate-context'],
  ['siblings', 'quorate-siblings'],
  ['expires', 'quorate-expires'],
  ['receipt', 'quorate-receipt'],
] as const

/** To standard error, one line a fact. */
export function tellAnswer(io: CommandIo, answer: Answer, flags: KeyFlags): void {
  if (flags.quiet) return
  for (const [name, header] of TOLD) {
    const value = answer.headers.get(header)
    // One sibling is no news.
    if (value === undefined || (name === 'siblings' && value === '1')) continue
    say(io, `${styled(io.stderr, 'dim', name.padEnd(8))} ${value}`)
  }
  const explained = answer.headers.get('quorate-explain')
  if (explained === undefined) return
  for (const entry of splitList(explained)) say(io, `${styled(io.stderr, 'dim', 'replica ')} ${entry}`)
}

/** The same, for `--json`. */
export function answerFacts(answer: Answer): Record<string, unknown> {
  const header = (name: string): string | undefined => answer.headers.get(name)
  const siblings = header('quorate-siblings')
  const meta = [...answer.headers].filter(([name]) => name.startsWith('quorate-meta-'))
  const explained = header('quorate-explain')
  return {
    status: answer.status,
    contentType: answer.status === 200 ? header('content-type') : undefined,
    version: header('quorate-version'),
    context: header('quorate-context'),
    etag: header('etag'),
    lastModified: header('last-modified'),
    expires: header('quorate-expires'),
    siblings: siblings === undefined ? undefined : Number(siblings),
    meta: meta.length === 0 ? undefined : Object.fromEntries(meta.map(([name, value]) => [name.slice(13), value])),
    receipt: receiptOf(answer) ?? undefined,
    explain: explained === undefined ? undefined : splitList(explained),
  }
}

/** `text` where the bytes are UTF-8, else `base64`: as the API itself says values in JSON. */
export function valueFields(bytes: Buffer): { readonly text: string } | { readonly base64: string } {
  try {
    return { text: new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(bytes) }
  } catch {
    return { base64: bytes.toString('base64') }
  }
}

/** A structured list's members, as text: commas within quotes and brackets do not separate. */
function splitList(text: string): string[] {
  return [...text.matchAll(/(?:"(?:[^"\\]|\\.)*"|\([^)]*\)|[^,])+/g)].map(([member]) => member.trim())
}
