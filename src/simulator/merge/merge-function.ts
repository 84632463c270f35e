// What a user's own merge is to the simulator, what its clients do with a value, and what is wrong with an answer that no JSON could hold.
// Pure but for the user's code, which runs under a limit that is handed in. Invariant: what the user's code is given is its own copy, and
// what it gives is JSON.

export type Json = null | boolean | number | string | readonly Json[] | { readonly [name: string]: Json }

/** One change of one client's, under a name of its own. */
export interface Edit {
  readonly id: string
  readonly client: string
  /** Of all edits of this key, from 1. */
  readonly number: number
}

/** The user's module. */
export interface MergeModule {
  /** What a client makes of siblings; the function under test. */
  readonly merge: (siblings: Json[]) => unknown
  /** What a client makes of a value when it changes it. */
  readonly change: (value: Json, edit: Edit, random: () => number) => unknown
  /** What a key that nobody has written yet is taken for. */
  readonly initial: Json
  /** Of these edits, the ids of those that the value does not show. */
  readonly lost: (edits: readonly Edit[], value: Json) => unknown
}

/** Runs the user's code, and ends it when it takes too long by throwing something with `isTimeout`. */
export type Limit = <T>(code: () => T) => T

/** The user's code threw, came to no end, or gave what is no JSON: nothing more can be said of it. */
export class MergeFailed extends Error {
  readonly siblings: readonly Json[]

  constructor(why: string, siblings: readonly Json[], options?: ErrorOptions) {
    super(why, options)
    this.name = 'MergeFailed'
    this.siblings = siblings
  }
}

export class MergeFunction {
  readonly #module: MergeModule
  readonly #limit: Limit

  constructor(module: MergeModule, limit: Limit) {
    this.#module = module
    this.#limit = limit
  }

  get initial(): Json {
    return copyOf(this.#module.initial)
  }

  /** Whatever of the user's code runs in there is limited as a whole: a limit costs more than most merges do. */
  limited<T>(code: () => T): T {
    return this.#limit(code)
  }

  /** Only within `limited`. */
  merge(siblings: readonly Json[]): Json {
    return asJson(() => this.#module.merge(siblings.map(copyOf)), 'merge', siblings)
  }

  change(value: Json, edit: Edit, random: () => number): Json {
    return this.#limit(() => asJson(() => this.#module.change(copyOf(value), edit, random), 'change', [value]))
  }

  lost(edits: readonly Edit[], value: Json): ReadonlySet<string> {
    const ids = this.#limit(() => asJson(() => this.#module.lost([...edits], copyOf(value)), 'lost', [value]))
    if (!Array.isArray(ids) || !ids.every((id) => typeof id === 'string'))
      throw new MergeFailed('lost must return the ids of edits, as an array of strings', [value])
    return new Set(ids)
  }
}

function asJson(call: () => unknown, name: string, given: readonly Json[]): Json {
  let result: unknown
  try {
    result = call()
  } catch (error) {
    if (isTimeout(error)) throw error
    throw new MergeFailed(`${name} threw ${String(error)}`, given, { cause: error })
  }
  if (result instanceof Promise) {
    result.catch(() => {})
    throw new MergeFailed(`${name} returned a promise; it must return the value itself`, given)
  }
  const text: unknown = textOf(result, name, given)
  if (typeof text !== 'string')
    throw new MergeFailed(`${name} returned ${String(result)}, which is no JSON; is a \`return\` missing?`, given)
  return JSON.parse(text) as Json
}

function textOf(value: unknown, name: string, given: readonly Json[]): unknown {
  try {
    return JSON.stringify(value)
  } catch (error) {
    throw new MergeFailed(`${name} returned what is no JSON: ${String(error)}`, given, { cause: error })
  }
}

function isTimeout(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
}

function copyOf(value: Json): Json {
  return JSON.parse(JSON.stringify(value)) as Json
}

/** Equal for values that differ only in the order of an object's members. */
export function canonical(value: Json): string {
  return JSON.stringify(value, (_name, inner: Json) => {
    if (inner === null || typeof inner !== 'object' || Array.isArray(inner)) return inner
    return Object.fromEntries(Object.entries(inner).sort(([a], [b]) => (a < b ? -1 : 1)))
  })
}

/** The default edit: adds its own id to a list. */
export function addToList(value: Json, edit: Edit): Json {
  if (!Array.isArray(value))
    throw new TypeError('without `change` the value must be a list; export `change(value, edit)` for other values')
  return [...(value as readonly Json[]), edit.id]
}

/** By default an edit is lost when its id stands nowhere in the value. */
export function lostByName(edits: readonly Edit[], value: Json): string[] {
  const names = new Set<string>()
  const walk = (inner: Json): void => {
    if (typeof inner === 'string') names.add(inner)
    else if (Array.isArray(inner)) for (const one of inner as readonly Json[]) walk(one)
    else if (inner !== null && typeof inner === 'object')
      for (const [name, one] of Object.entries(inner)) {
        names.add(name)
        walk(one)
      }
  }
  walk(value)
  return edits.map(({ id }) => id).filter((id) => !names.has(id))
}
