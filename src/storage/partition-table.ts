// One partition's index: pages in the order of their hashes. Decides when a page is made anew or split. Knows nothing of keys.
// Invariant: the pages cover all hashes without overlap, and entries of one hash are in one page.

import { IndexPage } from './index-page.ts'

export class PartitionTable {
  /** Of keys and records, as they lie in memory. */
  bytes = 0
  #count = 0
  #pages: IndexPage[] = [new IndexPage(0)]
  #indexBytes = (this.#pages[0] as IndexPage).bytes

  get count(): number {
    return this.#count
  }

  get indexBytes(): number {
    return this.#indexBytes
  }

  /** In order. */
  get pages(): readonly IndexPage[] {
    return this.#pages
  }

  pageOf(hash: number): IndexPage {
    const pages = this.#pages
    return (pages.length === 1 ? pages[0] : pages[this.numberOf(hash)]) as IndexPage
  }

  /** The place in `pages` of the page that the hash belongs to. */
  numberOf(hash: number): number {
    const pages = this.#pages
    let low = 0
    let high = pages.length - 1
    while (low < high) {
      const middle = (low + high + 1) >> 1
      if ((pages[middle] as IndexPage).from <= hash) low = middle
      else high = middle - 1
    }
    return low
  }

  /** `behind`: how many entries of the same hash come before it. */
  insert(hash: number, behind: number, ref: number): void {
    for (;;) {
      const page = this.pageOf(hash)
      if (page.insert(page.seek(hash) + behind, hash, ref)) break
      this.#remake(page, hash)
    }
    this.#count++
  }

  remove(page: IndexPage, slot: number): void {
    page.remove(slot)
    this.#count--
    if (page.count > 0 || page === this.#pages[0]) {
      if (page.isSparse) this.#remake(page, page.from)
      return
    }
    // The page before it covers its hashes from now on.
    this.#pages.splice(this.#pages.indexOf(page), 1)
    this.#indexBytes -= page.bytes
  }

  /** Room for an entry of this hash. */
  #remake(page: IndexPage, hash: number): void {
    const remade = page.remade(hash)
    this.#pages.splice(this.#pages.indexOf(page), 1, ...remade)
    this.#indexBytes -= page.bytes
    for (const { bytes } of remade) this.#indexBytes += bytes
  }
}
