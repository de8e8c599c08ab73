module example.com/markdown

go 1.26

require github.com/mayfly-run/mayfly/sdk/go v0.0.0

require github.com/yuin/goldmark v1.8.7

replace github.com/mayfly-run/mayfly/sdk/go => ../../sdk/go
