module example.com/wordcount

go 1.26

require github.com/mayfly-run/mayfly/sdk/go v0.0.0

replace github.com/mayfly-run/mayfly/sdk/go => ../../sdk/go
