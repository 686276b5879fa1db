module github.com/lazysession/session/bench

go 1.26

replace github.com/lazysession/session => ../

require github.com/lazysession/session v0.0.0
