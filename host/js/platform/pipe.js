// https://streams.spec.whatwg.org/#readable-stream-pipe-to

// pipeOptions are read in the order of their names.
function pipeOptions(options) {
  const given = dictionary(options, "The options");
  const preventAbort = Boolean(given.preventAbort), preventCancel = Boolean(given.preventCancel), preventClose = Boolean(given.preventClose);
  const { signal } = given;
  if (signal !== undefined && !(signal instanceof AbortSignal)) throw new TypeError("signal must be an AbortSignal");
  return { preventAbort, preventCancel, preventClose, signal };
}

class Pipe {
  ending = false;
  lastWrite = Promise.resolve();
  done = Promise.withResolvers();

  constructor(source, sink, how) {
    this.how = how;
    this.reader = lockOf(source);
    this.writer = new WritableStreamDefaultWriter(sink);
    this.source = streamState(source);
    this.source.disturbed = true;
    this.source.body = null;
    this.sink = writableState(sink);
    this.lock = writerLock(this.writer);
  }

  run() {
    const { signal } = this.how;
    if (signal) {
      this.abort = () => this.aborted(signal.reason);
      if (signal.aborted) {
        this.abort();
        return this.done.promise;
      }
      signal.addEventListener("abort", this.abort);
    }
    this.watch();
    this.copy();
    return this.done.promise;
  }

  aborted(reason) {
    const { preventAbort, preventCancel } = this.how, { sink, source } = this;
    this.end(() => {
      const all = [];
      if (!preventAbort && sink.phase === "writable") all.push(sink.abort(reason));
      if (!preventCancel && source.phase === "readable") all.push(source.cancel(reason));
      return Promise.all(all);
    }, { e: reason });
  }

  // watch sees both ends end; a failure counts before an end, the source before the sink.
  watch() {
    const { source, sink, how } = this;
    const sourceFailed = () => this.end(how.preventAbort ? null : () => sink.abort(source.error), { e: source.error });
    const sinkFailed = () => this.end(how.preventCancel ? null : () => source.cancel(sink.error), { e: sink.error });
    const sourceClosed = () => this.end(how.preventClose ? null : () => this.closeSink());
    if (source.phase === "errored") sourceFailed();
    else upon(this.reader.closed.promise, undefined, sourceFailed);
    if (sink.phase === "errored") sinkFailed();
    else upon(this.lock.closed.promise, undefined, sinkFailed);
    if (source.phase === "closed") sourceClosed();
    else upon(this.reader.closed.promise, sourceClosed, () => {});
    if (sink.closeQueuedOrInFlight || sink.phase === "closed") {
      const e = new TypeError("The destination is closed");
      this.end(how.preventCancel ? null : () => source.cancel(e), { e });
    }
  }

  closeSink() {
    const { sink } = this;
    if (sink.closeQueuedOrInFlight || sink.phase === "closed") return Promise.resolve();
    return sink.phase === "errored" ? Promise.reject(sink.error) : sink.close();
  }

  copy() {
    if (this.ending) return;
    upon(this.lock.ready.promise, () => {
      if (this.ending) return;
      this.source.read({
        resolve: ({ value, done }) => {
          if (done) return;
          // Later, since what a source does may be under way here.
          this.lastWrite = upon(Promise.resolve(), () => upon(writeOrReject(this.lock, this.sink, value), undefined, () => {}));
          upon(Promise.resolve(), () => this.copy());
        },
        reject: () => {},
      });
    }, () => {});
  }

  // end waits for what was read to be written, acts, and lets go of both ends.
  end(action, failure) {
    if (this.ending) return;
    this.ending = true;
    const act = () => {
      if (!action) return this.finish(failure);
      upon(action(), () => this.finish(failure), e => this.finish({ e }));
    };
    if (this.sink.phase === "writable" && !this.sink.closeQueuedOrInFlight) upon(this.written(), act);
    else act();
  }

  written() {
    const last = this.lastWrite;
    return upon(last, () => last === this.lastWrite ? undefined : this.written());
  }

  finish(failure) {
    releaseWriter(this.lock);
    releaseReader(this.reader);
    this.how.signal?.removeEventListener("abort", this.abort);
    if (failure) this.done.reject(failure.e);
    else this.done.resolve();
  }
}

function writeOrReject(lock, state, chunk) {
  try {
    return writeTo(lock, state, chunk);
  } catch (e) {
    return Promise.reject(e);
  }
}

const pipe = (source, sink, how) => new Pipe(source, sink, how).run();
