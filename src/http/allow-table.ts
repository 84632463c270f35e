// Which methods each path has, for 405 and its Allow header (RFC 9110, section 15.5.6). Fed by every route that is registered;
// knows nothing of handlers. Invariant: a path that no pattern covers has no methods: that is a 404.

interface Pattern {
  readonly segments: readonly string[]
  readonly methods: Set<string>
}

export class AllowTable {
  readonly #patterns = new Map<string, Pattern>()

  add(url: string, methods: string | readonly string[]): void {
    let pattern = this.#patterns.get(url)
    if (pattern === undefined) {
      pattern = { segments: url.split('/'), methods: new Set() }
      this.#patterns.set(url, pattern)
    }
    for (const method of [methods].flat()) pattern.methods.add(method)
  }

  /** Sorted; empty: unknown route. `path` is without query, still percent-encoded. */
  methodsOf(path: string): readonly string[] {
    const segments = path.split('/')
    const methods = new Set<string>()
    for (const pattern of this.#patterns.values()) {
      if (covers(pattern.segments, segments)) for (const method of pattern.methods) methods.add(method)
    }
    return [...methods].sort()
  }
}

function covers(pattern: readonly string[], path: readonly string[]): boolean {
  return (
    pattern.length === path.length &&
    pattern.every((segment, index) => (segment.startsWith(':') ? path[index] !== '' : segment === path[index]))
  )
}
