// Reads what a node answered: JSON bodies, problem details (RFC 9457), receipts (RFC 9651 dictionaries), and decides which
// exit status a failure means.

import { CommandError, EXIT } from './exit-status.ts'
import { textAt, view, viewsAt, type View } from './json-view.ts'
import type { Answer } from './node-client.ts'

export function jsonBody(answer: Answer): unknown {
  try {
    return JSON.parse(answer.body.toString('utf8'))
  } catch {
    return null
  }
}

/** The error that ends a command for an answer that it cannot use. */
export function failure(answer: Answer, json: boolean): CommandError {
  const body = jsonBody(answer)
  const problem = view(body)
  const code = textAt(problem, 'code')
  const said = json && body !== null ? body : undefined
  return new CommandError(exitStatus(answer.status, code), describe(answer, problem), said)
}

function exitStatus(status: number, code: string | null): number {
  if (code === 'not-found') return EXIT.notFound
  if (code === 'quorum-not-met' || code === 'context-not-reached') return EXIT.quorumNotMet
  // What the node refuses so is what was typed; these commands send nothing else.
  if (code !== null && (status === 400 || code === 'key-too-long')) return EXIT.usage
  // A 404 without our code comes from something in between, or from a node that has no such route.
  return status === 404 && code === null ? EXIT.notFound : EXIT.failed
}

function describe(answer: Answer, problem: View): string {
  const title = textAt(problem, 'title') ?? textAt(problem, 'code')
  if (title === null) return `the node answered ${answer.status}: ${answer.body.toString('utf8').slice(0, 300)}`
  const lines = [`${title} (${answer.status} ${textAt(problem, 'code') ?? ''})`.replace(' )', ')')]
  const detail = textAt(problem, 'detail')
  if (detail !== null && detail !== title) lines.push(`  ${detail}`)
  for (const replica of viewsAt(problem, 'replicas')) {
    lines.push(`  ${textAt(replica, 'node') ?? '?'}: ${textAt(replica, 'answer') ?? '?'}`)
  }
  const outcome = textAt(problem, 'outcome')
  if (outcome === 'unknown')
    lines.push('  the write may or may not appear later; retry it with the same --idempotency-key')
  return lines.join('\n')
}

/** The flat dictionary of a receipt; what is not understood is left out. */
export function receiptOf(answer: Answer): Record<string, string | number | boolean> | null {
  const text = answer.headers.get('quorate-receipt')
  if (text === undefined) return null
  const receipt: Record<string, string | number | boolean> = {}
  for (const [, key, value] of text.matchAll(/([a-z*][a-z0-9_.*-]*)(?:=("(?:[^"\\]|\\.)*"|[^,;\s]+))?/g)) {
    if (key !== undefined) receipt[key] = bareItem(value)
  }
  return receipt
}

function bareItem(text: string | undefined): string | number | boolean {
  if (text === undefined) return true
  if (text.startsWith('"')) return text.slice(1, -1).replace(/\\(.)/g, '$1')
  if (text === '?1' || text === '?0') return text === '?1'
  return /^-?\d+(\.\d+)?$/.test(text) ? Number(text) : text
}
