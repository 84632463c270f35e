// MessagePack items written one by one, straight into the bytes that will be sent and byte for byte as msgpackr writes them. Knows
// nothing of frames. Invariant: what it does not know how to write leaves `plain` false, and then msgpackr must write the whole.

import { Split } from '../core/bytes.ts'

export class PackWriter {
  bytes: Buffer = Buffer.alloc(0)
  /** Where the next item goes; the caller has made room for it. */
  at = 0
  /** Everything so far was of the plain kind that is written here. */
  plain = true
  /** The large end of a binary item: it belongs at `tailAt` in `bytes`, and was not written. One for each frame. */
  tail: Uint8Array | null = null
  tailAt = 0
  #view: DataView = new DataView(this.bytes.buffer, 0, 0)

  /** Goes on in new bytes of that size; the old ones stay as they are with whoever holds them. */
  renew(size: number): void {
    this.bytes = Buffer.allocUnsafeSlow(size)
    this.#view = new DataView(this.bytes.buffer, this.bytes.byteOffset, size)
    this.at = 0
  }

  /** An array of fewer than 16 items begins. */
  array(items: number): void {
    this.bytes[this.at++] = 0x90 | items
  }

  null(): void {
    this.bytes[this.at++] = 0xc0
  }

  boolean(value: boolean): void {
    this.bytes[this.at++] = value ? 0xc3 : 0xc2
  }

  /** A number from 0 to 2^53 − 1: an integer of up to 32 bits by its size, any other as a double. */
  amount(value: number): void {
    if (value >>> 0 === value) return this.integer(value)
    const { bytes, at } = this
    if (!(value > 0 && value <= Number.MAX_SAFE_INTEGER)) this.plain = false
    bytes[at] = 0xcb
    this.#view.setFloat64(at + 1, value)
    this.at = at + 9
  }

  /** An integer of up to 32 bits, by its size. */
  integer(value: number): void {
    const { bytes, at } = this
    if (value >>> 0 !== value) this.plain = false
    if (value < 0x80) {
      bytes[at] = value
      this.at = at + 1
    } else if (value < 0x100) {
      bytes[at] = 0xcc
      bytes[at + 1] = value
      this.at = at + 2
    } else if (value < 0x10000) {
      bytes[at] = 0xcd
      this.#view.setUint16(at + 1, value)
      this.at = at + 3
    } else {
      bytes[at] = 0xce
      this.#view.setUint32(at + 1, value)
      this.at = at + 5
    }
  }

  /** Text of ASCII up to 255 characters, as nearly all names are: no slot's own bound is lower. */
  text(value: string, bytesMin: number = 0): void {
    const { bytes } = this
    const { length } = value
    let { at } = this
    if (length < bytesMin) this.plain = false
    if (length < 32) bytes[at++] = 0xa0 | length
    else {
      bytes[at++] = 0xd9
      bytes[at++] = length
      if (length > 255) this.plain = false
    }
    let all = 0
    for (let i = 0; i < length; i++) {
      const unit = value.charCodeAt(i)
      all |= unit
      bytes[at++] = unit
    }
    if (all > 0x7f) this.plain = false
    this.at = at
  }

  textOrNull(value: string | null): void {
    if (value === null) this.null()
    else this.text(value)
  }

  binary(value: Uint8Array | Split): void {
    const { bytes } = this
    const { length } = value
    let { at } = this
    if (length < 0x100) {
      bytes[at] = 0xc4
      bytes[at + 1] = length
      at += 2
    } else if (length < 0x10000) {
      bytes[at] = 0xc5
      this.#view.setUint16(at + 1, length)
      at += 3
    } else {
      bytes[at] = 0xc6
      this.#view.setUint32(at + 1, length)
      at += 5
    }
    if (value instanceof Split) return this.#split(value, at)
    bytes.set(value, at)
    this.at = at + length
  }

  #split({ head, tail }: Split, at: number): void {
    if (this.tail !== null) this.plain = false
    this.bytes.set(head, at)
    this.at = at + head.length
    this.tail = tail
    this.tailAt = this.at
  }

  binaryOrNull(value: Uint8Array | Split | null): void {
    if (value === null) this.null()
    else this.binary(value)
  }
}
