// Which hosts, and which ways between them, have been left alone and for how long: what availability is promised on. Told by the
// injector and the cluster; decides nothing. Invariant: a way is stable only while no fault on it, or on either end, is in force.

interface State {
  troubles: number
  clearSince: number
}

export class Stability {
  readonly #now: () => number
  readonly #states = new Map<string, State>()

  constructor(now: () => number) {
    this.#now = now
  }

  begin(name: string): void {
    this.#state(name).troubles++
  }

  end(name: string): void {
    const state = this.#state(name)
    state.troubles = Math.max(0, state.troubles - 1)
    state.clearSince = this.#now()
  }

  /** A trouble that is over already. */
  disturb(name: string): void {
    this.#state(name).clearSince = this.#now()
  }

  isClearSince(name: string, since: number): boolean {
    const { troubles, clearSince } = this.#state(name)
    return troubles === 0 && clearSince <= since
  }

  /** Both ends and the way between them. */
  isWayClearSince(a: string, b: string, since: number): boolean {
    if (!this.isClearSince('everything', since) || !this.isClearSince(a, since)) return false
    return a === b || (this.isClearSince(b, since) && this.isClearSince(wayOf(a, b), since))
  }

  #state(name: string): State {
    let state = this.#states.get(name)
    if (!state) this.#states.set(name, (state = { troubles: 0, clearSince: this.#now() }))
    return state
  }
}

export function wayOf(a: string, b: string): string {
  return a < b ? `${a}-${b}` : `${b}-${a}`
}
