// Writes a structure's bytes field by field, and lies about some of them: lengths, counts, types. Knows the primitives (varints, hex,
// MessagePack items), not the structures. Invariant: without lies the bytes are those of an honest encoder; lies are numbers, so that
// the same ones can be told again.

export interface Lie {
  /** Which field, in the order of writing. */
  readonly at: number
  /** What is said instead; every number means something for every kind of field. */
  readonly form: number
}

/** What writes itself, honestly but for the ink's lies. */
export type Draft = (ink: Ink) => void

export class Ink {
  #parts: Uint8Array[] = []
  #fields = 0
  #lies: readonly Lie[] = []

  static render(draft: Draft, lies: readonly Lie[]): { readonly bytes: Buffer; readonly fields: number } {
    const ink = new Ink()
    ink.#lies = lies
    draft(ink)
    return { bytes: Buffer.concat(ink.#parts), fields: ink.#fields }
  }

  #form(): number {
    const at = this.#fields++
    for (const lie of this.#lies) if (lie.at === at) return lie.form
    return -1
  }

  #put(...bytes: number[]): void {
    this.#parts.push(Uint8Array.from(bytes))
  }

  u8(value: number): void {
    const form = this.#form()
    if (form < 0) this.#put(value)
    else this.#put(...(U8_LIES[form % U8_LIES.length] as (value: number) => number[])(value))
  }

  varint(value: number): void {
    const form = this.#form()
    this.#put(...(form < 0 ? leb(value) : (VARINT_LIES[form % VARINT_LIES.length] as Lying)(value)))
  }

  raw(bytes: Uint8Array): void {
    const form = this.#form()
    if (form < 0) this.#parts.push(bytes)
    else this.#parts.push((RAW_LIES[form % RAW_LIES.length] as (bytes: Uint8Array) => Uint8Array)(bytes))
  }

  hex(hex: string): void {
    this.raw(Buffer.from(hex, 'hex'))
  }

  bytes(bytes: Uint8Array): void {
    this.varint(bytes.length)
    this.raw(bytes)
  }

  text(text: string): void {
    this.bytes(Buffer.from(text))
  }

  /** Little-endian. */
  fixed(value: number, length: number): void {
    const bytes = Buffer.alloc(length)
    for (let i = 0, rest = value; i < length; i++, rest = Math.floor(rest / 256)) bytes[i] = rest % 256
    this.raw(bytes)
  }

  /** A MessagePack item: null, boolean, number, text, binary, or an array of these. */
  pack(value: unknown): void {
    const form = this.#form()
    if (form >= 0) this.#parts.push(Buffer.from(PACK_LIES[form % PACK_LIES.length] as string, 'hex'))
    // Some stand before the item and make it the payload of something else.
    if (form >= 0 && form % 3 > 0) return
    if (Array.isArray(value)) {
      this.#put(...(value.length < 16 ? [0x90 | value.length] : [0xdc, value.length >> 8, value.length & 0xff]))
      for (const item of value) this.pack(item)
    } else this.#item(value)
  }

  #item(value: unknown): void {
    if (value === null) this.#put(0xc0)
    else if (typeof value === 'boolean') this.#put(value ? 0xc3 : 0xc2)
    else if (typeof value === 'number') this.#number(value)
    else if (typeof value === 'string') {
      const bytes = Buffer.from(value)
      this.#put(...(bytes.length < 32 ? [0xa0 | bytes.length] : [0xda, bytes.length >> 8, bytes.length & 0xff]))
      this.#parts.push(bytes)
    } else if (value instanceof Uint8Array) {
      this.#put(0xc5, value.length >> 8, value.length & 0xff)
      this.#parts.push(value)
    }
  }

  #number(value: number): void {
    if (Number.isInteger(value) && value >= 0 && value < 0x80) return this.#put(value)
    const bytes = Buffer.alloc(9)
    if (Number.isInteger(value) && value >= 0 && value <= 0xffffffff) {
      bytes[0] = 0xce
      bytes.writeUInt32BE(value, 1)
      this.#parts.push(bytes.subarray(0, 5))
      return
    }
    bytes[0] = 0xcb
    bytes.writeDoubleBE(value, 1)
    this.#parts.push(bytes)
  }
}

type Lying = (value: number) => number[]

/** LEB128, of numbers up to 2^53. */
export function leb(value: number): number[] {
  const bytes: number[] = []
  let rest = value
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push((rest % 0x80) | 0x80)
  bytes.push(rest)
  return bytes
}

const U8_LIES: readonly Lying[] = [
  () => [],
  (value) => [value ^ 1],
  (value) => [value ^ 0x80],
  () => [0],
  () => [0xff],
  (value) => [value + 1],
  (value) => [value, value],
  (value) => [(value * 7 + 13) & 0x3f],
]

const VARINT_LIES: readonly Lying[] = [
  () => [],
  (value) => leb(value + 1),
  (value) => leb(Math.max(0, value - 1)),
  () => [0],
  () => leb(2 ** 31),
  () => leb(2 ** 32 + 1),
  () => leb(Number.MAX_SAFE_INTEGER),
  () => leb(2 ** 53),
  // Not the shortest.
  (value) => [...leb(value).slice(0, -1), (leb(value).at(-1) as number) | 0x80, 0],
  (value) => [...leb(value), ...leb(value)],
  () => Array.from({ length: 12 }, () => 0xff),
  (value) => leb(value * 256),
  () => leb(100_000),
  () => leb(Number.MAX_SAFE_INTEGER - 1),
]

const RAW_LIES: readonly ((bytes: Uint8Array) => Uint8Array)[] = [
  () => new Uint8Array(0),
  (bytes) => bytes.subarray(0, -1),
  (bytes) => Buffer.concat([bytes, Buffer.of(0)]),
  (bytes) => Buffer.concat([bytes, bytes]),
  (bytes) => bytes.map((byte, at) => (at === bytes.length >> 1 ? byte ^ 0x81 : byte)),
  (bytes) => new Uint8Array(bytes.length),
  (bytes) => new Uint8Array(bytes.length).fill(0xff),
  (bytes) => bytes.toReversed(),
  // A lone surrogate, and a character that is too long.
  (bytes) => Buffer.concat([bytes.subarray(3), Buffer.from('eda080', 'hex')]),
  () => Buffer.from('c080', 'hex'),
]

/** Items that no encoder of ours writes, or writes elsewhere. Each third stands before what should be there. */
const PACK_LIES: readonly string[] = [
  '', // nothing: twice the item's place, or none
  'c0',
  'c3',
  'ff', // −1
  'cb7ff8000000000000', // NaN
  'cb7ff0000000000000', // Infinity
  'cb8000000000000000', // −0
  'cb4340000000000000', // 2^53
  'cb3fe0000000000000', // 0.5
  '81a95f5f70726f746f5f5f', // {__proto__: …
  '80',
  'de0001a95f5f70726f746f5f5fc0',
  'd40000', // fixext 1
  'c70500ffffffffff', // ext 8
  'd6ff00000000', // a date
  'cf0020000000000000', // 64 bits
  'd3ffffffffffffffff',
  'ca7f800000', // float 32
  'dd7fffffff', // an array of 2^31
  'c6ffffffff', // 4 GiB of binary
  'dbffffffff', // 4 GiB of text
  '9191919191919191', // too deep
  '9090',
  'a3eda080', // a lone surrogate
  'dc000090',
  'd9ff00',
  'c400',
  '92c0',
  'a0',
  'df7fffffff', // a map of 2^31
  'c1',
  'ceffffffff',
  'a95f5f70726f746f5f5f', // "__proto__"
  '4040', // what record extensions take for records
  'd4724000', // a record's definition
  'd9205f5f70726f746f5f5f5f5f70726f746f5f5f5f5f70726f746f5f5f00000000',
]
