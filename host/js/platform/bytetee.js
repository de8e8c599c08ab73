// https://streams.spec.whatwg.org/#abstract-opdef-readablebytestreamtee
class ByteTee {
  reading = false;
  again = [false, false];
  canceled = [false, false];
  reasons = [undefined, undefined];
  done = deferred();

  constructor(stream) {
    this.state = streamState(stream);
    this.branches = [0, 1].map(i => new ByteState({
      __proto__: null,
      pull: () => this.pull(i), cancel: reason => cancelBranch(this.state, this, i, reason),
    }, { mark: 0 }));
    this.lock(lockOf(stream));
  }

  lock(lock) {
    this.reader = lock;
    upon(lock.closed.promise, undefined, e => {
      if (lock !== this.reader) return;
      for (const b of this.branches) b.fail(e);
      this.finish();
    });
  }

  // become has the reader be of a kind.
  become(byob) {
    if (this.reader.byob === byob) return;
    const old = this.reader;
    this.reader = null; // so that its end is not taken for that of the stream
    releaseReader(old);
    this.lock(lockState(this.state, byob));
  }

  finish() { if (!this.canceled[0] || !this.canceled[1]) this.done.resolve(); }

  pull(i) {
    if (this.reading) this.again[i] = true;
    else {
      this.reading = true;
      const request = this.branches[i].byobRequest();
      if (request === null) this.pullDefault();
      else this.pullInto(request.view, i);
    }
    return Promise.resolve();
  }

  // later runs after the microtask in which an error reaches the branches first.
  later(step) {
    queueMicrotask(() => {
      this.again = [false, false];
      try {
        step();
      } catch (e) {
        for (const b of this.branches) b.fail(e);
        this.done.resolve(this.state.cancel(e));
        return;
      }
      this.reading = false;
      const i = this.again.indexOf(true);
      if (i >= 0) this.pull(i);
    });
  }

  pullDefault() {
    this.become(false);
    this.state.read({
      resolve: ({ value, done }) => done ? this.ended(0) : this.later(() => {
        const copy = this.canceled.includes(true) ? value : value.slice();
        this.give(0, value);
        this.give(1, copy);
      }),
      reject: () => { this.reading = false; },
    });
  }

  pullInto(view, i) {
    this.become(true);
    this.state.readInto(view, 1, {
      resolve: ({ value, done }) => done ? this.ended(i, value) : this.later(() => {
        const copy = this.canceled[1 - i] ? null : bytesOf(value).slice();
        if (!this.canceled[i]) this.branches[i].respondWith(value);
        this.give(1 - i, copy);
      }),
      reject: () => { this.reading = false; },
    });
  }

  give(i, bytes) { if (!this.canceled[i] && this.branches[i].open) this.branches[i].enqueue(bytes); }

  // ended closes the branches; view is that of the branch i, of a BYOB reader.
  ended(i, view) {
    this.reading = false;
    for (const n of [0, 1]) if (!this.canceled[n] && this.branches[n].open) this.branches[n].close();
    for (const n of [i, 1 - i]) {
      const branch = this.branches[n];
      if (n === i && view !== undefined) {
        if (!this.canceled[n]) branch.respondWith(view);
      } else if (branch.pulls.length > 0 && !(view !== undefined && this.canceled[n])) branch.respond(0);
    }
    this.finish();
  }
}

function teeBytes(stream) {
  return new ByteTee(stream).branches.map(streamOfState);
}

// streamOf is a stream of bytes, which are copied when they are read.
function streamOf(bytes) {
  const state = new ByteState({
    __proto__: null,
    pull() {
      if (bytes.length > 0) state.enqueue(bytes.slice());
      state.close();
      state.endPulls();
    },
  }, { mark: 0 });
  return streamOfState(state);
}
