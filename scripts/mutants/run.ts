// `npm run mutants [-- name…]`: breaks a copy of the sources in one way at a time and runs the simulator's ordinary seeds on it until a
// checker objects. Prints who caught what, and fails when a mutant survives. Nothing here is special to any mutant.

import { spawn } from 'node:child_process'
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join, resolve } from 'node:path'
import { type Mutant, MUTANTS } from './list.ts'

const SEEDS = '1..300'
const root = resolve(import.meta.dirname, '../..')

interface Verdict {
  readonly mutant: Mutant
  readonly caught: string
  readonly seed: number | null
  readonly tried: number
}

interface SeedLine {
  readonly seed: number
  readonly violations: readonly { readonly guarantee: string; readonly what: string }[]
}

process.exitCode = await main(process.argv.slice(2))

async function main(names: readonly string[]): Promise<number> {
  const unknown = names.filter((name) => !MUTANTS.some((mutant) => mutant.name === name))
  if (unknown.length > 0) {
    process.stderr.write(
      `no such mutant: ${unknown.join(', ')}\nthere are: ${MUTANTS.map(({ name }) => name).join(', ')}\n`,
    )
    return 2
  }
  const verdicts: Verdict[] = []
  for (const mutant of MUTANTS) {
    if (names.length > 0 && !names.includes(mutant.name)) continue
    const verdict = await judge(mutant)
    verdicts.push(verdict)
    process.stdout.write(`${line(verdict)}\n`)
  }
  const survivors = verdicts.filter(({ seed }) => seed === null)
  process.stdout.write(`${verdicts.length - survivors.length} of ${verdicts.length} caught\n`)
  return survivors.length > 0 ? 1 : 0
}

function line({ mutant, caught, seed, tried }: Verdict): string {
  const by = seed === null ? 'NOT CAUGHT' : `seed ${String(seed).padStart(3)}`
  return `${mutant.name.padEnd(40)} ${mutant.guarantee.padEnd(8)} ${by}  ${caught.padEnd(10)} ${tried} seeds tried`
}

async function judge(mutant: Mutant): Promise<Verdict> {
  const copy = mkdtempSync(join(tmpdir(), 'quorate-mutant-'))
  try {
    for (const part of ['src', 'scripts', 'package.json'])
      cpSync(join(root, part), join(copy, part), { recursive: true })
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'))
    for (const { file, find, replace } of mutant.edits) {
      const path = join(copy, file)
      const text = readFileSync(path, 'utf8')
      if (text.split(find).length !== 2) return { mutant, caught: `no longer fits ${file}`, seed: null, tried: 0 }
      writeFileSync(
        path,
        text.replace(find, () => replace),
      )
    }
    return await run(mutant, copy)
  } finally {
    rmSync(copy, { recursive: true, force: true })
  }
}

function run(mutant: Mutant, copy: string): Promise<Verdict> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ['scripts/simulate.ts', '--seeds', SEEDS, '--stop-first', '--json'], {
      cwd: copy,
      stdio: ['ignore', 'pipe', 'ignore'],
    })
    let output = ''
    child.stdout.on('data', (bytes: Buffer) => (output += bytes.toString()))
    child.on('close', () => {
      const lines = output.split('\n').filter((text) => text.startsWith('{'))
      const results = lines.map((text) => JSON.parse(text) as SeedLine)
      const first = results.filter(({ violations }) => violations.length > 0).sort((a, b) => a.seed - b.seed)[0]
      const caught = [...new Set(first?.violations.map(({ guarantee }) => guarantee))].join(',')
      resolve({ mutant, caught, seed: first?.seed ?? null, tried: results.length })
    })
  })
}
