// The one byte that tells what a table on the wire is: a founding view, or a formed cluster's member table. Nothing else.

import { MalformedBytes } from '../core/bytes.ts'
import { decodeFoundingView, encodeFoundingView, type FoundingView } from '../core/membership/founding-view.ts'
import { MemberTable } from '../core/membership/member-table.ts'

export type Table =
  | { readonly type: 'founding'; readonly view: FoundingView }
  | { readonly type: 'formed'; readonly table: MemberTable }

const FOUNDING = 0
const FORMED = 1

export function encodeTable(table: Table): Buffer {
  const body = table.type === 'founding' ? encodeFoundingView(table.view) : table.table.encode()
  return Buffer.concat([Buffer.of(table.type === 'founding' ? FOUNDING : FORMED), body])
}

/** Throws `MalformedBytes`. */
export function decodeTable(bytes: Uint8Array): Table {
  const body = bytes.subarray(1)
  if (bytes[0] === FOUNDING) return { type: 'founding', view: decodeFoundingView(body) }
  if (bytes[0] === FORMED) return { type: 'formed', table: MemberTable.decode(body) }
  throw new MalformedBytes('neither a founding view nor a member table')
}
