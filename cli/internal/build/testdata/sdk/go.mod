module github.com/mayfly-run/mayfly/sdk/go

go 1.24
