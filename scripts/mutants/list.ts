// Small ways to break the real code, each of which some guarantee forbids. Texts are found and replaced in a copy of the sources; nothing
// of this is part of a build. Invariant: every `find` stands exactly once in its file, so a mutant that no longer fits says so.

export interface Edit {
  readonly file: string
  readonly find: string
  readonly replace: string
}

export interface Mutant {
  readonly name: string
  /** What it breaks. */
  readonly guarantee: string
  readonly edits: readonly Edit[]
}

function edit(file: string, find: string, replace: string): Edit {
  return { file: `src/${file}`, find, replace }
}

export const MUTANTS: readonly Mutant[] = [
  {
    name: 'last-write-wins',
    guarantee: 'G1, G2',
    edits: [edit('core/causality/view.ts', "if (conflict === 'lww') return meetLast", 'if (conflict) return meetLast')],
  },
  {
    name: 'no-write-back',
    // The receipt claims what no home was brought to.
    guarantee: 'G7, G9',
    edits: [
      edit(
        'coordinator/reading.ts',
        '    let holding = agreeing\n',
        '    let holding = needed\n    resolve({ holding, refused: [] })\n',
      ),
    ],
  },
  {
    name: 'context-dropped-on-put',
    guarantee: 'G2, G6',
    edits: [
      edit(
        'coordinator/key-coordinator.ts',
        'writeView(version, context.seen, context.tags)',
        'writeView(version, DotSet.empty(), [])',
      ),
    ],
  },
  {
    name: 'empty-fallback-counts',
    guarantee: 'G7',
    edits: [
      edit(
        'core/quorum/read-tally.ts',
        'if (standIns > 0 && tally.terms.sloppy && live) {',
        'if (standIns > 0 && tally.terms.sloppy) {',
      ),
    ],
  },
  {
    name: 'hint-forgotten-when-sent',
    guarantee: 'G1, G5',
    edits: [
      edit(
        'repair/hint-delivery.ts',
        '    if (!(await send(hint, budgetMs))) return this.#passOver(hint)\n',
        '    this.#parts.storage.hints.remove(hint)\n    if (!(await send(hint, budgetMs))) return this.#passOver(hint)\n',
      ),
    ],
  },
  {
    name: 'acknowledged-before-sync',
    guarantee: 'G1',
    edits: [
      edit(
        'replica/replica.ts',
        'return options.durable && !this.#storage.isSynced(lsn) ? this.waits.synced(lsn, result, options.budgetMs) : result',
        'return result',
      ),
    ],
  },
  {
    name: 'merkle-leaf-skipped',
    guarantee: 'G5',
    edits: [
      edit(
        'core/merkle/diff.ts',
        "return { type: 'done', leaves: differing }",
        "return { type: 'done', leaves: differing.slice(1) }",
      ),
    ],
  },
  {
    name: 'merge-drops-a-sibling',
    guarantee: 'G1',
    edits: [
      edit(
        'core/causality/view.ts',
        'if (survivors.length > 1) survivors.sort(',
        'if (survivors.length > 2) survivors.pop()\n  if (survivors.length > 1) survivors.sort(',
      ),
    ],
  },
  {
    name: 'acknowledged-at-w-minus-1',
    guarantee: 'G1, G7',
    edits: [
      edit(
        'core/quorum/write-tally.ts',
        'if (counts.acknowledged >= tally.terms.required) return',
        'if (counts.acknowledged >= Math.max(1, tally.terms.required - 1)) return',
      ),
    ],
  },
  {
    name: 'deletion-collected-without-proof',
    guarantee: 'G4',
    edits: [
      edit(
        'repair/collection.ts',
        'const stable = reported.stable(partition, directory, own)',
        'const stable = reported ? own : null',
      ),
    ],
  },
  {
    name: 'hint-counts-as-strict',
    guarantee: 'G7, G9',
    edits: [
      edit(
        'core/quorum/guarantee.ts',
        "  if (facts.standIns > 0) return 'sloppy'\n  const overlaps = facts.requestW",
        '  facts = { ...facts, homesHolding: facts.homesHolding + facts.standIns }\n  const overlaps = facts.requestW',
      ),
    ],
  },
  {
    name: 'filling-replica-counts',
    guarantee: 'G7, G9',
    edits: [
      edit('core/quorum/read-tally.ts', "return event.filling ? 'filling' : 'complete'", "return 'complete'"),
      edit('coordinator/read-round.ts', '    if (answer.filling) return\n', ''),
    ],
  },
  {
    name: 'duplicate-reply-counts-twice',
    guarantee: 'G1, G7',
    edits: [
      edit(
        'coordinator/write-round.ts',
        "        this.#note({ type: 'acknowledged', replica: member, durable: answer.durable })\n",
        "        this.#note({ type: 'acknowledged', replica: member, durable: answer.durable })\n        if (!answer.stored) this.#note({ type: 'acknowledged', replica: this.#terms.homes.find((home) => !this.#tally.replicas.some((entry) => entry.replica === home && entry.state === 'acknowledged')) ?? member, durable: answer.durable })\n",
      ),
    ],
  },
  {
    name: 'read-error-becomes-not-found',
    guarantee: 'G9, G13',
    edits: [
      edit(
        'coordinator/read-round.ts',
        "    if (answer.type !== 'answered') {\n",
        "    if (answer.type === 'failed') answer = { type: 'answered', view: null, same: false, missing: DotSet.empty(), filling: false, time: 0 }\n    if (answer.type !== 'answered') {\n",
      ),
    ],
  },
  {
    name: 'mid-log-damage-taken-for-a-torn-tail',
    guarantee: 'G13, G1',
    edits: [
      edit(
        'storage/log-reader.ts',
        'if (this.#expected > 0 && sequence > this.#expected) {',
        'if (this.#expected > 0 && sequence < 0) {',
      ),
    ],
  },
  {
    name: 'read-ignores-its-context',
    guarantee: 'G8',
    edits: [
      edit(
        'coordinator/read-round.ts',
        'this.#missing = terms.mustInclude ?? DotSet.empty()',
        'this.#missing = DotSet.empty()',
      ),
    ],
  },
  {
    name: 'put-answers-with-the-replicas-context',
    guarantee: 'G2',
    edits: [
      edit(
        'replica/written.ts',
        'const tells = tellContext && only && !filling && record && !hasOtherDeadTags(record, view)',
        'const tells = tellContext && !filling && record',
      ),
    ],
  },
  {
    name: 'time-out-reported-as-not-applied',
    guarantee: 'G10',
    edits: [
      edit('core/quorum/write-tally.ts', "outcome: applied ? 'unknown' : 'not-applied'", "outcome: 'not-applied'"),
    ],
  },
  {
    name: 'clock-claims-counters-across-a-gap',
    guarantee: 'G1',
    edits: [
      edit(
        'core/causality/record.ts',
        '    received.push(dot)\n',
        '    for (let counter = 1; counter <= dot.counter; counter++) received.push({ life: dot.life, counter })\n',
      ),
      edit(
        'core/causality/record.ts',
        'const received = [version.dot]',
        'const received = Array.from({ length: version.dot.counter }, (_, i) => ({ ...version.dot, counter: i + 1 }))',
      ),
    ],
  },
  {
    name: 'life-reused-after-a-crash',
    guarantee: 'G3',
    edits: [
      edit(
        'node/rooms.ts',
        'new DotMint(random)',
        'new DotMint({ bytes: () => Buffer.from(options.name.padEnd(8).slice(-8)), next: () => 0 })',
      ),
    ],
  },
  {
    name: 'anti-entropy-off',
    guarantee: 'G5',
    edits: [edit('node/healer.ts', 'if (healing.antiEntropy) {', 'if (false) {')],
  },
  {
    // Seen where anti-entropy is off: then reads are all that heals.
    name: 'read-repair-off',
    guarantee: 'G5',
    edits: [edit('node/rooms.ts', 'readRepair: options.healing.readRepair,', 'readRepair: false,')],
  },
  {
    name: 'expiry-by-local-receive-time',
    guarantee: 'G5, G15',
    edits: [
      edit(
        'replica/replica.ts',
        '    const merged = mergeIntoRecord(before, clock, view, options.conflict)\n',
        "    if (options.intent === 'client') view = { ...view, versions: view.versions.map((v) => (v.deadlineMs === null ? v : { ...v, deadlineMs: Math.floor(this.#clock.now()) + v.deadlineMs - msFromHybrid(v.stamp) })) }\n    const merged = mergeIntoRecord(before, clock, view, options.conflict)\n",
      ),
    ],
  },
  {
    name: 'hints-only-in-memory',
    guarantee: 'G1',
    edits: [
      edit(
        'storage/storage.ts',
        'hint: (hint) => logged((sink) => encodeHintEntry(sink, hint)),',
        "hint: () => logged((sink) => encodeCatalogEntry(sink, 'x', null)),",
      ),
    ],
  },
  {
    name: 'failed-sync-retried',
    guarantee: 'G1',
    edits: [
      edit(
        'storage/segments.ts',
        '    return this.#file.append(chunks)\n',
        '    return this.#file.append(chunks).catch(() => this.#file.sync())\n',
      ),
    ],
  },
  {
    name: 'directory-not-synced',
    guarantee: 'G1',
    edits: [
      edit('storage/segments.ts', '    await disk.syncDirectory()\n    await writeManifest', '    await writeManifest'),
      edit('storage/manifest.ts', '  await disk.syncDirectory()\n', ''),
    ],
  },
  {
    name: 'collection-forgets-tags',
    guarantee: 'G4, G15',
    edits: [
      edit(
        'core/causality/record.ts',
        'deadTags: uniteDeadTags(record.deadTags, deadTagsOf(spent, true)),',
        'deadTags: record.deadTags,',
      ),
    ],
  },
]
