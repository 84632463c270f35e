// The walk as it stands in a Markdown file: every fenced block marked `console` is a piece of it, `$ ` begins a command, what follows
// is what it printed, and a lone `…` stands for lines that are left out. Decides what is command and what is answer; runs nothing.

export interface Step {
  /** As a shell takes it; several lines where they end in a backslash. */
  readonly command: string
  readonly expected: readonly string[]
  /** Of the command, from 1. */
  readonly line: number
}

const FENCE_OPEN = /^```console\s*$/
const FENCE_CLOSE = /^```\s*$/
const PROMPT = '$ '

/** Stands for any number of lines. */
export const ELLIPSIS = '…'

export function stepsOf(markdown: string): readonly Step[] {
  const steps: Step[] = []
  const lines = markdown.split('\n')
  for (let i = 0; i < lines.length; i++) {
    if (!FENCE_OPEN.test(lines[i] ?? '')) continue
    for (i++; i < lines.length && !FENCE_CLOSE.test(lines[i] ?? '');) {
      const line = i + 1
      if (!lines[i]?.startsWith(PROMPT)) throw new Error(`line ${line}: a console block begins with "${PROMPT}"`)
      let command = (lines[i++] ?? '').slice(PROMPT.length)
      while (command.endsWith('\\')) command += `\n${lines[i++] ?? ''}`
      const expected: string[] = []
      while (i < lines.length && !FENCE_CLOSE.test(lines[i] ?? '') && !lines[i]?.startsWith(PROMPT)) {
        expected.push(lines[i++] ?? '')
      }
      steps.push({ command, expected: trimmed(expected), line })
    }
  }
  return steps
}

/** The same Markdown with other commands and answers, in the order of `stepsOf`. */
export function rewritten(markdown: string, steps: readonly Pick<Step, 'command' | 'expected'>[]): string {
  const lines = markdown.split('\n')
  const before = stepsOf(markdown)
  // From the end, so that the lines before keep their numbers.
  for (const [index, { command, expected, line }] of [...before.entries()].reverse()) {
    const next = steps[index]
    if (next === undefined) continue
    const first = line - 1
    const answer = first + command.split('\n').length
    const from = expected.length === 0 ? answer : lines.indexOf(expected[0] ?? '', answer)
    lines.splice(from, expected.length, ...next.expected)
    lines.splice(first, command.split('\n').length, ...`${PROMPT}${next.command}`.split('\n'))
  }
  return lines.join('\n')
}

/** Without empty lines at either end: the line end that a value lacks, and the space that a reader likes. */
export function trimmed(lines: readonly string[]): readonly string[] {
  const from = lines.findIndex((line) => line !== '')
  return from < 0 ? [] : lines.slice(from, lines.findLastIndex((line) => line !== '') + 1)
}
