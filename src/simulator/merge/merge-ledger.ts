// What one seed's clients did to the values: every edit with its fate, every merge with what went in and what came out. Decides which
// edits are lost, and by which merge. Invariant: only an edit whose write was acknowledged can be lost.

import type { KeyHistory, WriteRecord } from '../history.ts'
import type { Edit, Json, MergeFunction } from './merge-function.ts'

export interface MadeEdit extends Edit {
  readonly key: KeyHistory
  readonly write: WriteRecord
}

export interface Merge {
  readonly client: string
  /** Simulated milliseconds. */
  readonly at: number
  readonly key: KeyHistory
  readonly siblings: readonly Json[]
  readonly merged: Json
}

export interface LostEdit {
  readonly edit: MadeEdit
  /** The first that had it among its siblings and not in what came out; null: it went otherwise. */
  readonly by: Merge | null
}

export class MergeLedger {
  readonly edits: MadeEdit[] = []
  readonly merges: Merge[] = []

  get siblingsMax(): number {
    return this.merges.reduce((most, { siblings }) => Math.max(most, siblings.length), 1)
  }

  count(fate: WriteRecord['fate']): number {
    return this.edits.filter(({ write }) => write.fate === fate).length
  }

  /** Acknowledged edits of the key that its last value does not show. */
  lostFrom(key: KeyHistory, value: Json, merging: MergeFunction): LostEdit[] {
    const acknowledged = this.edits.filter((edit) => edit.key === key && edit.write.fate === 'acknowledged')
    const ids = merging.lost(acknowledged.map(plain), value)
    return acknowledged.filter(({ id }) => ids.has(id)).map((edit) => ({ edit, by: this.#loserOf(edit, merging) }))
  }

  #loserOf(edit: MadeEdit, merging: MergeFunction): Merge | null {
    const isIn = (value: Json): boolean => !merging.lost([plain(edit)], value).has(edit.id)
    const merges = this.merges.filter(({ key }) => key === edit.key)
    return merges.find(({ siblings, merged }) => siblings.some(isIn) && !isIn(merged)) ?? null
  }
}

function plain({ id, client, number }: MadeEdit): Edit {
  return { id, client, number }
}
