// A copy of the sources that is broken in one way, for as long as something is run in it. Decides nothing. Invariant: a mutant whose place
// is not there exactly once is an error, and the copy is gone afterwards.

import { type ChildProcess, spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Mutant } from './list.ts'

/** What a mutant was written for is no longer in the sources. */
export class NoLongerFits extends Error {
  constructor(file: string) {
    super(`no longer fits ${file}`)
  }
}

export interface Running {
  readonly child: ChildProcess
  /** Resolves with the exit status when it has ended; -1: a signal. */
  readonly status: Promise<number>
}

/** Runs a script of the copy, from the folder that this runs in; `inherit`: what it says is said here. */
export type RunScript = (script: string, args: readonly string[], output: 'inherit' | 'pipe') => Running

export async function inMutant<T>(
  root: string,
  mutant: Mutant | null,
  work: (run: RunScript) => Promise<T>,
): Promise<T> {
  const copy = mkdtempSync(join(tmpdir(), 'quorate-mutant-'))
  try {
    for (const part of ['src', 'scripts', 'package.json'])
      cpSync(join(root, part), join(copy, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    for (const { file, find, replace } of mutant?.edits ?? []) {
      const path = join(copy, file)
      const text = readFileSync(path, 'utf8')
      if (text.split(find).length !== 2) throw new NoLongerFits(file)
      writeFileSync(
        path,
        text.replace(find, () => replace),
      )
    }
    return await work((script, args, output) => {
      const stderr = output === 'inherit' ? 'inherit' : 'ignore'
      const child = spawn(process.execPath, [join(copy, script), ...args], { stdio: ['ignore', output, stderr] })
      const status = new Promise<number>((resolve, reject) => {
        child.once('error', reject)
        child.once('close', (code) => resolve(code ?? -1))
      })
      return { child, status }
    })
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}
