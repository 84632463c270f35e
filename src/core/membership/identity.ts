// A member as others know it: its name, the storage behind the name, and where it is. How that is written in bytes.
// Knows nothing of clusters. Invariant: what is read here is well-formed (names, UUIDs, addresses), whoever sent it.

import { MalformedBytes } from '../bytes.ts'
import type { ByteReader, ByteWriter } from '../bytes.ts'
import type { Hash64 } from '../hash64.ts'
import { hashOfFields } from '../hash64.ts'

export interface Identity {
  readonly name: string
  /** A UUID, lower case: which storage stands behind the name. */
  readonly storage: string
  /** `host:port`: hints, they may change at every restart. */
  readonly peerAddress: string
  readonly clientAddress: string
}

/** More members than this are not read: a bound on memory, far above what one cluster is made for. */
export const MEMBERS_MAX = 1000

const NAME = /^[A-Za-z0-9][A-Za-z0-9._-]{0,62}$/
const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/
// A host name, an IPv4 or a bracketed IPv6 address, with a port; empty where none is known.
const ADDRESS = /^(?:[A-Za-z0-9_.-]{1,253}|\[[0-9A-Fa-f:.%a-z]{2,64}\]):[0-9]{1,5}$|^$/

function isMemberName(text: string): boolean {
  return NAME.test(text)
}

export function isUuid(text: string): boolean {
  return UUID.test(text)
}

/** Throws `RangeError` for what could not be read again: a bug of the caller's. */
export function writeIdentity(writer: ByteWriter, identity: Identity): void {
  if (!isMemberName(identity.name)) throw new RangeError(`not a member name: ${identity.name}`)
  writer.text(identity.name)
  writeUuid(writer, identity.storage)
  for (const address of [identity.peerAddress, identity.clientAddress]) {
    if (!ADDRESS.test(address)) throw new RangeError(`not host:port: ${address}`)
    writer.text(address)
  }
}

export function readIdentity(reader: ByteReader): Identity {
  const name = reader.text()
  if (!isMemberName(name)) throw new MalformedBytes('not a member name')
  const storage = readUuid(reader)
  const peerAddress = readAddress(reader)
  const clientAddress = readAddress(reader)
  return { name, storage, peerAddress, clientAddress }
}

function readAddress(reader: ByteReader): string {
  const address = reader.text()
  if (!ADDRESS.test(address)) throw new MalformedBytes('not an address')
  return address
}

export function writeUuid(writer: ByteWriter, uuid: string): void {
  if (!isUuid(uuid)) throw new RangeError(`not a UUID: ${uuid}`)
  writer.hex(uuid.replaceAll('-', ''), 16)
}

export function readUuid(reader: ByteReader): string {
  return uuidOf(reader.hex(16))
}

/** The usual dashes in 32 hex digits. */
export function uuidOf(hex: string): string {
  return [hex.slice(0, 8), hex.slice(8, 12), hex.slice(12, 16), hex.slice(16, 20), hex.slice(20)].join('-')
}

/** Text of bounded length in well-formed UTF-8. */
export function readText(reader: ByteReader, bytesMax: number): string {
  const bytes = reader.bytes()
  const text = bytes.toString('utf8')
  if (bytes.length > bytesMax || Buffer.byteLength(text) !== bytes.length || text.includes('\ufffd')) {
    throw new MalformedBytes('not a text')
  }
  return text
}

/** Equal where the same storages stand behind the same names; addresses do not matter. */
export function pairsHash(pairs: readonly Pick<Identity, 'name' | 'storage'>[]): Hash64 {
  const sorted = pairs.toSorted((a, b) => compareText(a.name, b.name) || compareText(a.storage, b.storage))
  return hashOfFields(sorted.flatMap(({ name, storage }) => [name, storage]))
}

/** By code units: the same on every node, whatever its locale. */
export function compareText(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0
}
