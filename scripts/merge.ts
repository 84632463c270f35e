// `npm run simulate -- --merge FILE`: loads the user's merge, runs it under the faults of some seeds, prints what came of it. Decides what a
// usable module is and how long its code may take. Invariant: exit status 0 only if the merge converged and nothing was lost.

import { existsSync } from 'node:fs'
import { resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import { createContext, Script } from 'node:vm'
import {
  addToList,
  type Json,
  type Limit,
  lostByName,
  MergeFailed,
  MergeFunction,
  type MergeModule,
} from '../src/simulator/merge/merge-function.ts'
import { MergeLaws } from '../src/simulator/merge/merge-laws.ts'
import { MergeReport } from '../src/simulator/merge/merge-report.ts'
import { type MergeResult, runMergeSeed } from '../src/simulator/merge/merge-run.ts'

const TIME_LIMIT_MS = 2000

const CONTRACT = `A merge is a module like this one (.js, .mjs or .ts):

  export default function merge(siblings) {   // JSON values, two or more; returns the one that takes their place
    return [...new Set(siblings.flat())].sort()
  }

and may export, where values are no lists:

  initial                     what a key is before the first write (default [])
  change(value, edit, random) a client's edit: the changed value (default: the list and edit.id)
  lost(edits, value)          ids of the edits that the value does not show (default: those whose id is nowhere in it)`

export interface MergeTerms {
  readonly from: number
  readonly count: number
}

/** Null with words on standard error where the module cannot be used. */
async function loadMerge(file: string): Promise<MergeModule | null> {
  const path = resolve(file)
  const refuse = (why: string): null => {
    process.stderr.write(`--merge: ${why}\n\n${CONTRACT}\n`)
    return null
  }
  if (!existsSync(path)) return refuse(`there is no ${path}`)
  let module: Readonly<Record<string, unknown>>
  try {
    module = (await import(pathToFileURL(path).href)) as Readonly<Record<string, unknown>>
  } catch (error) {
    return refuse(`${path} cannot be loaded: ${String(error)}`)
  }
  const { default: merge, change = addToList, initial = [], lost = lostByName } = module
  if (typeof merge !== 'function') return refuse(`${path} has no function as its default export`)
  if (typeof change !== 'function') return refuse(`${path}: change is not a function`)
  if (typeof lost !== 'function') return refuse(`${path}: lost is not a function`)
  if (JSON.stringify(initial) === undefined) return refuse(`${path}: initial is no JSON`)
  return {
    merge: merge as MergeModule['merge'],
    change: change as MergeModule['change'],
    lost: lost as MergeModule['lost'],
    initial: initial as Json,
  }
}

/** The only way to end code that never returns, short of ending its process: V8 is told to stop whatever runs. */
function limitOf(milliseconds: number): Limit {
  const box: { call: () => void } = { call: () => {} }
  const context = createContext(box)
  const script = new Script('call()')
  return <T>(code: () => T): T => {
    let result: { readonly value: T } | null = null
    box.call = () => void (result = { value: code() })
    try {
      script.runInContext(context, { timeout: milliseconds })
    } catch (error) {
      if (isTimeout(error))
        throw new MergeFailed(`the module's code did not return within ${milliseconds / 1000} s`, [])
      throw error
    }
    return (result as unknown as { readonly value: T }).value
  }
}

function isTimeout(error: unknown): boolean {
  return typeof error === 'object' && error !== null && 'code' in error && error.code === 'ERR_SCRIPT_EXECUTION_TIMEOUT'
}

/** The exit status. */
export async function simulateMerge(file: string, { from, count }: MergeTerms): Promise<number> {
  const module = await loadMerge(file)
  if (module === null) return 2
  const merging = new MergeFunction(module, limitOf(TIME_LIMIT_MS))
  const laws = new MergeLaws()
  const results: MergeResult[] = []
  for (let seed = from; seed < from + count; seed++) {
    const result = await runMergeSeed(seed, merging, laws)
    results.push(result)
    if (result.failure !== null) break
  }
  const report = new MergeReport(results, laws)
  process.stdout.write(report.text)
  return report.isGood ? 0 : 1
}
