// Numbers for the buckets that hold records, so that an item names its bucket in a byte or two, and what each of them holds.
// Invariant: a number belongs to one bucket as long as any of its records is live; afterwards it may become another's.

interface BucketUse {
  readonly name: string
  readonly number: number
  keys: number
  bytes: number
}

export class BucketTable {
  readonly #byName = new Map<string, BucketUse>()
  readonly #byNumber: (BucketUse | undefined)[] = []
  readonly #free: number[] = []
  /** Most changes in a row are of one bucket. */
  #last: BucketUse | undefined

  /** '' where nothing live has this number. */
  name(number: number): string {
    return this.#byNumber[number]?.name ?? ''
  }

  usage(name: string): { readonly keys: number; readonly bytes: number } | undefined {
    return this.#byName.get(name)
  }

  /** Its number; a new one where it has none. `add` must follow at once. */
  numberOf(name: string): number {
    if (this.#last?.name === name) return this.#last.number
    let use = this.#byName.get(name)
    if (use === undefined) {
      use = { name, number: this.#free.pop() ?? this.#byNumber.length, keys: 0, bytes: 0 }
      this.#byName.set(name, use)
      this.#byNumber[use.number] = use
    }
    this.#last = use
    return use.number
  }

  add(number: number, keys: number, bytes: number): void {
    const use = this.#byNumber[number] as BucketUse
    use.keys += keys
    use.bytes += bytes
    if (use.keys > 0) return
    this.#byName.delete(use.name)
    this.#byNumber[number] = undefined
    this.#free.push(number)
    this.#last = undefined
  }
}
