// MessagePack items read one by one, straight from the bytes that came. Knows nothing of frames. Invariant: what is not exactly of the
// asked kind, in its usual form and within its bounds leaves `plain` false; the values are then worth nothing, and the general way
// (`codec.ts`) must say what the bytes are. So nothing is refused here, and reading past the end does no harm.

const DOUBLE = new Uint8Array(8)
const DOUBLE_VIEW = new DataView(DOUBLE.buffer)

export class PackReader {
  /** Everything so far was as it was asked for. */
  plain = true
  #bytes: Buffer = Buffer.alloc(0)
  #at = 0
  #end = 0

  begin(bytes: Buffer, from: number, to: number): void {
    this.#bytes = bytes
    this.#at = from
    this.#end = to
    this.plain = true
  }

  /** All was as it was asked for, and nothing is left. */
  get finished(): boolean {
    return this.plain && this.#at === this.#end
  }

  integer(max: number = 0xffffffff): number {
    const value = this.#number(this.#bytes[this.#at++] as number)
    if (value > max) this.plain = false
    return value
  }

  /** A finite number from 0 to 2^53 − 1. */
  amount(): number {
    const tag = this.#bytes[this.#at++] as number
    if (tag !== 0xcb) return this.#number(tag)
    const bytes = this.#bytes
    const at = this.#at
    for (let i = 0; i < 8; i++) DOUBLE[i] = bytes[at + i] as number
    this.#at = at + 8
    const value = DOUBLE_VIEW.getFloat64(0)
    // Greater than 0: -0 is no amount, and 0 itself is not written like this.
    if (!(value > 0 && value <= Number.MAX_SAFE_INTEGER)) this.plain = false
    return value
  }

  boolean(): boolean {
    const tag = this.#bytes[this.#at++]
    if (tag !== 0xc2 && tag !== 0xc3) this.plain = false
    return tag === 0xc3
  }

  /** ASCII text. When it is `guess`, as what comes again and again mostly is, no new text is made. */
  text(bytesMax: number, bytesMin: number = 0, guess: string = ''): string {
    const bytes = this.#bytes
    const tag = bytes[this.#at++] as number
    const length = tag === 0xd9 ? (bytes[this.#at++] as number) : tag ^ 0xa0
    const from = this.#at
    const to = from + length
    if ((tag !== 0xd9 && length > 31) || length < bytesMin || length > bytesMax || !(to <= this.#end)) {
      this.plain = false
      return ''
    }
    this.#at = to
    if (length === guess.length && isText(bytes, from, guess)) return guess
    let all = 0
    for (let i = from; i < to; i++) all |= bytes[i] as number
    if (all > 0x7f) this.plain = false
    return length === 16 ? sixteen(bytes, from) : bytes.toString('latin1', from, to)
  }

  textOrNull(bytesMax: number): string | null {
    return this.#null() ? null : this.text(bytesMax)
  }

  /** A view, not a copy. */
  binary(): Uint8Array {
    const bytes = this.#bytes
    const tag = bytes[this.#at++]
    let at = this.#at
    let length = bytes[at++] as number
    if (tag === 0xc5) length = (length << 8) | (bytes[at++] as number)
    else if (tag === 0xc6) {
      for (let i = 0; i < 3; i++) length = length * 256 + (bytes[at++] as number)
    } else if (tag !== 0xc4) this.plain = false
    const to = at + length
    if (!(to <= this.#end)) this.plain = false
    if (!this.plain) return bytes
    this.#at = to
    return bytes.subarray(at, to)
  }

  binaryOrNull(): Uint8Array | null {
    return this.#null() ? null : this.binary()
  }

  #null(): boolean {
    if (this.#bytes[this.#at] !== 0xc0) return false
    this.#at++
    return true
  }

  #number(tag: number): number {
    const bytes = this.#bytes
    if (tag < 0x80) return tag
    let width = 0
    if (tag === 0xcc) width = 1
    else if (tag === 0xcd) width = 2
    else if (tag === 0xce) width = 4
    else this.plain = false
    let value = 0
    for (let i = 0; i < width; i++) value = value * 256 + (bytes[this.#at++] as number)
    return value
  }
}

function isText(bytes: Buffer, from: number, text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const byte = bytes[from + i] as number
    // A byte beyond ASCII is no character by itself, whatever the text looks like.
    if (byte !== text.charCodeAt(i) || byte > 0x7f) return false
  }
  return true
}

/** Digests have this length; made here they cost half of what a call out of the engine does. */
function sixteen(b: Buffer, at: number): string {
  // prettier-ignore
  return String.fromCharCode(
    b[at] as number, b[at + 1] as number, b[at + 2] as number, b[at + 3] as number,
    b[at + 4] as number, b[at + 5] as number, b[at + 6] as number, b[at + 7] as number,
    b[at + 8] as number, b[at + 9] as number, b[at + 10] as number, b[at + 11] as number,
    b[at + 12] as number, b[at + 13] as number, b[at + 14] as number, b[at + 15] as number,
  )
}
