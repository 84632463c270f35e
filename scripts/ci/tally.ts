// Counts what a vitest run did from its JSON report, in favour of failure: a report that is missing, unreadable or milder
// than the exit status never makes a green line. Knows nothing of how the run was started.

export interface Tally {
  readonly passed: number
  readonly failed: number
  readonly skipped: number
  /** What was skipped, by full name. */
  readonly skippedNames: readonly string[]
  /** Why `failed` is greater than the count of failed tests. */
  readonly remarks: readonly string[]
}

/** `report` is the JSON text, or null when there is none; `status` the exit status, null when a signal ended the run. */
export function tally(report: string | null, status: number | null): Tally {
  const counts = { passed: 0, failed: 0, skipped: 0 }
  const skippedNames: string[] = []
  const remarks: string[] = []
  const files = report === null ? null : testFiles(report)
  if (files === null) remarks.push('vitest left no readable report')
  for (const file of files ?? []) {
    const tests = list(property(file, 'assertionResults'))
    let failedHere = 0
    for (const test of tests) {
      const state = property(test, 'status')
      if (state === 'passed') counts.passed++
      else if (state === 'failed') failedHere++
      else {
        counts.skipped++
        skippedNames.push(String(property(test, 'fullName')))
      }
    }
    // A file that failed as a whole (an import, a hook) may have no failed test of its own.
    if (failedHere === 0 && property(file, 'status') === 'failed') {
      failedHere = 1
      remarks.push(`${String(property(file, 'name'))} failed outside its tests: ${String(property(file, 'message'))}`)
    }
    counts.failed += failedHere
  }
  if (counts.failed === 0 && status !== 0) {
    counts.failed = 1
    remarks.push(`vitest ended with ${status === null ? 'a signal' : `status ${status}`} beyond its tests`)
  }
  if (counts.failed === 0 && (files === null || counts.passed === 0)) {
    counts.failed = 1
    remarks.push('no test passed')
  }
  return { ...counts, skippedNames, remarks }
}

function testFiles(report: string): unknown[] | null {
  try {
    const parsed: unknown = JSON.parse(report)
    const files = property(parsed, 'testResults')
    return Array.isArray(files) ? files : null
  } catch {
    return null
  }
}

function property(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null ? Reflect.get(value, name) : undefined
}

function list(value: unknown): unknown[] {
  return Array.isArray(value) ? value : []
}
