package host

// What the node offers, as in ABI.md. A string parameter crosses as pointer
// and length, so bytes are passed as strings that share their memory.

//go:wasmimport mayfly last_error
//go:noescape
func lastError(buf *byte, size uint32) int32

//go:wasmimport mayfly close
func closeHandle(handle int32) int32

//go:wasmimport mayfly wait
//go:noescape
func wait(handles *int32, count uint32, timeout int64) int32

//go:wasmimport mayfly request_method
//go:noescape
func requestMethod(buf *byte, size uint32) int32

//go:wasmimport mayfly request_url
//go:noescape
func requestURL(buf *byte, size uint32) int32

//go:wasmimport mayfly request_client
//go:noescape
func requestClient(buf *byte, size uint32) int32

//go:wasmimport mayfly request_headers
//go:noescape
func requestHeaders(buf *byte, size uint32) int32

//go:wasmimport mayfly request_header
//go:noescape
func requestHeader(name string, buf *byte, size uint32) int32

//go:wasmimport mayfly request_body
func requestBody() int32

//go:wasmimport mayfly scheduled_cron
//go:noescape
func scheduledCron(buf *byte, size uint32) int32

//go:wasmimport mayfly scheduled_time
func scheduledTime() int64

//go:wasmimport mayfly handles
func declareHandlers(bits uint32) int32

//go:wasmimport mayfly event_fail
//go:noescape
func eventFail(reason string) int32

//go:wasmimport mayfly batch_head
//go:noescape
func batchHead(buf *byte, size uint32) int32

//go:wasmimport mayfly batch_body
//go:noescape
func batchBody(message uint32, buf *byte, size uint32) int32

//go:wasmimport mayfly batch_ack
func batchAck(message uint32) int32

//go:wasmimport mayfly batch_retry
func batchRetry(message uint32, delay int64) int32

//go:wasmimport mayfly batch_ack_all
func batchAckAll() int32

//go:wasmimport mayfly batch_retry_all
func batchRetryAll(delay int64) int32

//go:wasmimport mayfly queue_open
//go:noescape
func queueOpen(binding string) int32

//go:wasmimport mayfly queue_send
//go:noescape
func queueSend(queue int32, messages string) int32

//go:wasmimport mayfly queue_backlog
func queueBacklog(queue int32) int32

//go:wasmimport mayfly queue_status
func queueStatus(op int32) int32

//go:wasmimport mayfly queue_messages
func queueMessages(op int32) int64

//go:wasmimport mayfly queue_bytes
func queueBytes(op int32) int64

//go:wasmimport mayfly queue_oldest
func queueOldest(op int32) int64

//go:wasmimport mayfly change_head
//go:noescape
func changeHead(buf *byte, size uint32) int32

//go:wasmimport mayfly change_value
//go:noescape
func changeValue(buf *byte, size uint32) int32

//go:wasmimport mayfly respond
//go:noescape
func respond(status uint32, fields, body string) int32

//go:wasmimport mayfly respond_stream
//go:noescape
func respondStream(status uint32, fields string) int32

//go:wasmimport mayfly wait_until
func waitUntil() int32

//go:wasmimport mayfly body_read
//go:noescape
func bodyRead(body int32, buf *byte, size uint32) int32

//go:wasmimport mayfly body_write
//go:noescape
func bodyWrite(body int32, data string) int32

//go:wasmimport mayfly fetch_send
//go:noescape
func fetchSend(method, url, fields, body string) int32

//go:wasmimport mayfly fetch_stream
//go:noescape
func fetchStream(method, url, fields string) int32

//go:wasmimport mayfly fetch_request_body
func fetchRequestBody(op int32) int32

//go:wasmimport mayfly fetch_status
func fetchStatus(op int32) int32

//go:wasmimport mayfly fetch_headers
//go:noescape
func fetchHeaders(op int32, buf *byte, size uint32) int32

//go:wasmimport mayfly fetch_body
func fetchBody(op int32) int32

//go:wasmimport mayfly fetcher_open
//go:noescape
func fetcherOpen(binding string) int32

//go:wasmimport mayfly fetcher_send
//go:noescape
func fetcherSend(fetcher int32, method, url, fields, body string) int32

//go:wasmimport mayfly fetcher_stream
//go:noescape
func fetcherStream(fetcher int32, method, url, fields string) int32

//go:wasmimport mayfly rate_limit
//go:noescape
func rateLimit(binding, key string) int32

//go:wasmimport mayfly kv_open
//go:noescape
func kvOpen(binding string) int32

//go:wasmimport mayfly kv_strong
func kvStrong(ns int32) int32

//go:wasmimport mayfly kv_get
//go:noescape
func kvGet(ns int32, key string) int32

//go:wasmimport mayfly kv_put
//go:noescape
func kvPut(ns int32, key, value, metadata string, expires, revision int64, flags uint32) int32

//go:wasmimport mayfly kv_delete
//go:noescape
func kvDelete(ns int32, key string, revision int64, flags uint32) int32

//go:wasmimport mayfly kv_list
//go:noescape
func kvList(ns int32, prefix, cursor string, limit uint32) int32

//go:wasmimport mayfly kv_status
func kvStatus(op int32) int32

//go:wasmimport mayfly kv_value
//go:noescape
func kvValue(op int32, buf *byte, size uint32) int32

//go:wasmimport mayfly kv_metadata
//go:noescape
func kvMetadata(op int32, buf *byte, size uint32) int32

//go:wasmimport mayfly kv_revision
func kvRevision(op int32) int64

//go:wasmimport mayfly kv_expires
func kvExpires(op int32) int64

//go:wasmimport mayfly kv_page
//go:noescape
func kvPage(op int32, buf *byte, size uint32) int32

//go:wasmimport mayfly kv_cursor
//go:noescape
func kvCursor(op int32, buf *byte, size uint32) int32

//go:wasmimport mayfly env_get
//go:noescape
func envGet(name string, buf *byte, size uint32) int32

//go:wasmimport mayfly env_names
//go:noescape
func envNames(buf *byte, size uint32) int32

//go:wasmimport mayfly log
//go:noescape
func log(level uint32, text string) int32

//go:wasmimport mayfly time_left
func timeLeft() int64
